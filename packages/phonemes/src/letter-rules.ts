/**
 * One rule of how letters sound: what stands before and behind them, and what they are said as. Contexts are patterns; a word
 * is in small letters, and begins and ends where a pattern says `^` and `$`.
 */
export interface LetterRule {
  readonly letters: string
  readonly before: RegExp | undefined
  readonly after: RegExp | undefined
  /** ARPAbet, without stress. */
  readonly sounds: readonly string[]
}

const CONSONANT = '[bcdfghjklmnpqrstvwxz]'
const VOWEL = '[aeiouy]'

/**
 * The rules, one a line: `LETTERS [< BEFORE] [> BEHIND] = SOUNDS`. The first that fits is taken. They are in the spirit of
 * Elovitz and others, "Automatic Translation of English Text to Phonetics by Means of Letter-to-Sound Rules" (NRL Report 7948,
 * 1976), and made for this package. `C` in a context is a consonant, `V` a vowel.
 */
const TABLE = `
augh > t = AO
aught = AO T
aigh = EY
air = EH R
ai = EY
au = AO
aw = AO
ayor = EY ER
ay = EY
alk > $ = AO K
alk > [si] = AO K
all > $ = AO L
al > [dkt] = AO L
al < C > $ = AH L
al < C > ly$ = AH L
arr = EH R
ar < w > (?!e$) = AO R
ar > e$ = EH R
ar < VC > $ = ER
ar < VC > ds?$ = ER D
ar = AA R
ation = EY SH AH N
age < VC > $ = IH JH
age < VC > s$ = IH JH
able < C > $ = AH B AH L
able < C > s$ = AH B AH L
ally < ic > $ = L IY
aste > $ = EY S T
ange > $ = EY N JH
a > $ = AH
a > C(?:e|es|ed|er|ers|ing|ings|y)$ = EY
a > C[iu]V = EY
a > ble = EY
a < ^ > [bcdfglmnps][aeiou]C = AH
a < ^ > Cc = AE
a < w > [^aeiouykxg] = AA
a = AE
bb = B
b < m > $ = 
b < m > s$ = 
bt > $ = T
b = B
cch = K
ch < s = K
ch > [rl] = K
ch < ^ > ar = K
chn = K N
ch = CH
cc > [eiy] = K S
cc = K
ck = K
cial = SH AH L
cian = SH AH N
cious = SH AH S
cient = SH AH N T
ci > [ao] = SH
c > [eiy] = S
c = K
dd = D
dge = JH
dg > [iy] = JH
du > [ao] = JH UW
d = D
eigh = EY
eau = OW
ear > [nlt]h? = ER
ear = IH R
eer = IH R
ea > d$ = EH
ea > th = EH
ea > sure = EH
ea > v[iy] = EH
eat > ure = IY
ea = IY
ee = IY
ei < c = IY
ei > [gn] = EY
ei = IY
er > $ = ER
er > s$ = ER
er > ed$ = ER
er > ing = ER
er > C = ER
ere > $ = IH R
err > ed = ER
err > s?$ = ER
err = EH R
eu = Y UW
ew < [rlj] = UW
ew = Y UW
ey > $ = IY
ey > s$ = IY
ey = EY
es < (?:s|x|z|c|g|sh|ch) > $ = IH Z
ed < [td] > $ = IH D
ed < V.*[fkpsxh] > $ = T
ed < V.*C > $ = D
el < C > $ = AH L
en < C > $ = AH N
e < ^C+ > $ = IY
e > $ =
e > s$ =
e < C > ly$ =
e < C > less =
e < C > ful =
e < C > ment =
e < C > ness =
e < ^C* > Ce$ = IY
e < ^[bdrp] > C[aeiou] = IH
e > C[iu][aou] = IY
e = EH
ff = F
ft > en = F
f = F
gg = G
gh < ^ = G
gh < (?:ou|au) > $ = F
gh =
gn < ^ = N
gn > $ = N
gu > [eiy] = G
ge < ^ > t = G EH
gi < ^ > [vr] = G IH
g > [eiy] = JH
g = G
h < V > C =
h < V > $ =
h = HH
igh = AY
ign > $ = AY N
ign > s$ = AY N
ild > $ = AY L D
ind > s?$ = AY N D
ious < [^cgt] = IY AH S
ious < [cgt] = AH S
ier > $ = IY ER
iest > $ = IY AH S T
ies < ^C+ > $ = AY Z
ies > $ = IY Z
ied < ^C+ > $ = AY D
ied > $ = IY D
ie > $ = IY
ie > [lfv] = IY
ique > $ = IY K
ive > [sdr]?$ = IH V
ively > $ = IH V L IY
ily > $ = AH L IY
ine > $ = IY N
ism > s?$ = IH Z AH M
ize > [drs]?$ = AY Z
ise > [drs]?$ = AY Z
ity > $ = AH T IY
ir > [aeiou] = AY R
irr = IH R
ir = ER
i > $ = IY
i > C(?:e|es|ed|er|ers|ing|y)$ = AY
i > [ao] = IY
i = IH
jj = JH
j = JH
kn < ^ = N
kk = K
k = K
ll = L
le < C > $ = AH L
les < C > $ = AH L Z
led < C > $ = AH L D
l = L
mm = M
mn > $ = M
mb > $ = M
mb > s$ = M
m = M
ng > $ = NG
ng > s$ = NG
ng > ing = NG
ng > ed$ = NG
ng > er = NG G
ng > [eiy] = N JH
ng = NG G
nk = NG K
nn = N
n = N
oar = AO R
oa = OW
oor = AO R
ook = UH K
ood > $ = UH D
oo = UW
ould = UH D
ough > t = AO
ough > $ = OW
oul > d = UH
our < C > $ = AO R
ound = AW N D
ous < C > $ = AH S
ously < C > $ = AH S L IY
oup = UW P
ou > [nstdl] = AW
ou > ch = AW
ou = UW
oi = OY
oy = OY
ow > [nesd]?$ = OW
ow = AW
old = OW L D
oll > $ = OW L
olk = OW K
ost > $ = OW S T
or < VC > s?$ = ER
or < w > [dklst] = ER
or < VC > ed$ = ER
orr = AO R
ore = AO R
or = AO R
oes > $ = OW Z
oe = OW
on < C > $ = AH N
on < i > $ = AH N
o > $ = OW
o > s$ = OW
o > C(?:e|es|ed|er|ers|ing|y)$ = OW
o > C[iu]V = OW
o < ^C* > (?:$|C[aeiou]) = OW
o = AA
ph = F
pn < ^ = N
ps < ^ = S
pt < ^ = T
pp = P
p = P
qu > e$ = K
qu > es$ = K
qu = K W
q = K
rrh = R
rh = R
rr = R
r = R
sch < ^ = SH
sch = S K
sch = SH
sh = SH
sc > [eiy] = S
sion < V = ZH AH N
sion = SH AH N
ssion = SH AH N
sure < V > s?$ = ZH ER
sual < V = ZH UW AH L
ss = S
st > le$ = S
st > en$ = S
s < ^ = S
s < [aeiouyw] > [ei] = Z
s < [aeo] > $ = Z
s < [bdglmnrv] > $ = Z
s < i > $ = S
s < u > $ = S
s = S
tch = CH
tt = T
ture > s?$ = CH ER
tural = CH ER AH L
tual = CH UW AH L
tion < s = CH AH N
tion = SH AH N
tious = SH AH S
tial = SH AH L
tient = SH AH N T
tia > n?s?$ = SH AH
thm > $ = DH AH M
the > [rs]?$ = DH
th < ^ > (?:e|is|at|an|us|ou|em|ey)$ = DH
th = TH
t = T
uar = W AA R
ue > $ = UW
ui > [st] = UW
uy = AY
ull > $ = UH L
ush > $ = UH SH
ure > $ = Y UH R
urr = ER
ur > [aeiou] = Y UH R
ur = ER
us < C > $ = AH S
um < C > $ = AH M
u < [rljc]h? > C(?:e|es|ed|er|ers|ing|y|i|a|o) = UW
u < ^ > n[ai] = Y UW
u < ^ > [nm]C = AH
u > C(?:e|es|ed|er|ers|ing|y|i|a|o) = Y UW
u > V = UW
u > $ = UW
u = AH
vv = V
v = V
wh > o(?!r) = HH
wh = W
wr < ^ = R
w < [aeo] > $ = 
w = W
x < ^ = Z
x < e > [aeiou] = G Z
x > $ = K S
x = K S
y < ^ > [aeiou] = Y
y < ^C+ > $ = AY
y > C(?:e|es|ed)$ = AY
y < C > $ = IY
y < V > $ = 
y < [aeiou] > [aeiou] = Y
y < ^C* > C[aeiou] = AY
y = IH
zz = Z
z = Z
`

/** The rules by the first letter of theirs, in their order. */
export const letterRules: ReadonlyMap<string, readonly LetterRule[]> = Map.groupBy(
  TABLE.split('\n')
    .filter(line => line !== '')
    .map(ruleOf),
  ({ letters }) => letters[0] ?? ''
)

function ruleOf(line: string): LetterRule {
  const [, letters = '', before, after, sounds = ''] = /^(\w+)(?: < (.+?))?(?: > (.+?))? =(.*)$/.exec(line) ?? []
  return {
    letters,
    before: before === undefined ? undefined : new RegExp(`(?:${classes(before)})$`),
    after: after === undefined ? undefined : new RegExp(`^(?:${classes(after)})`),
    sounds: sounds.split(' ').filter(sound => sound !== '')
  }
}

function classes(context: string): string {
  return context.replaceAll('C', CONSONANT).replaceAll('V', VOWEL)
}
