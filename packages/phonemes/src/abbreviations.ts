/** What an abbreviation is said as, and what its point may be besides. */
export interface Abbreviation {
  readonly words: string
  /** Its point may end a sentence too, where a capital letter follows. */
  readonly ends?: boolean
}

// maps: a text may have any word, `constructor` too
const titles: ReadonlyMap<string, string> = new Map(
  Object.entries({
    dr: 'doctor',
    mr: 'mister',
    mrs: 'missus',
    ms: 'miz',
    prof: 'professor',
    rev: 'reverend',
    hon: 'honorable',
    gen: 'general',
    col: 'colonel',
    capt: 'captain',
    lt: 'lieutenant',
    sgt: 'sergeant',
    gov: 'governor',
    sen: 'senator',
    rep: 'representative',
    pres: 'president',
    mt: 'mount',
    ft: 'fort',
    messrs: 'messers'
  })
)

const others: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'e.g': 'for example',
    'i.e': 'that is',
    etc: 'etcetera',
    vs: 'versus',
    jr: 'junior',
    sr: 'senior',
    inc: 'incorporated',
    ltd: 'limited',
    co: 'company',
    corp: 'corporation',
    dept: 'department',
    est: 'established',
    approx: 'approximately',
    ave: 'avenue',
    blvd: 'boulevard',
    rd: 'road',
    jan: 'january',
    feb: 'february',
    aug: 'august',
    sept: 'september',
    sep: 'september',
    oct: 'october',
    nov: 'november',
    dec: 'december',
    tues: 'tuesday',
    thurs: 'thursday',
    tel: 'telephone',
    cf: 'compare',
    al: 'al'
  })
)

/** Said so only before a number: `No. 5`, `p. 12`. */
const beforeNumbers: ReadonlyMap<string, string> = new Map(
  Object.entries({
    no: 'number',
    nos: 'numbers',
    p: 'page',
    pp: 'pages',
    fig: 'figure',
    figs: 'figures',
    eq: 'equation',
    ch: 'chapter',
    sec: 'section',
    vol: 'volume',
    art: 'article'
  })
)

/**
 * Looks an abbreviation up.
 *
 * @param name without its last point, in any case
 * @param next what stands behind it and the spaces there; a character or more
 * @returns undefined when it is none, and its point is a point
 */
export function abbreviation(name: string, next: string): Abbreviation | undefined {
  const low = name.toLowerCase()
  const capital = /^\p{Lu}/u.test(next)
  // as names begin
  if (low === 'st') return capital ? { words: 'saint' } : { words: 'street', ends: true }
  const title = titles.get(low)
  if (title !== undefined && capital && name[0] !== low[0]) return { words: title }
  if (/^\d/.test(next)) {
    const counted = beforeNumbers.get(low)
    if (counted !== undefined) return { words: counted }
  }
  const other = others.get(low)
  return other === undefined ? undefined : { words: other, ends: true }
}
