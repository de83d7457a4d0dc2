const consonants: Readonly<Record<string, string>> = {
  B: 'b',
  CH: 'tʃ',
  D: 'd',
  DH: 'ð',
  F: 'f',
  G: 'ɡ',
  HH: 'h',
  JH: 'dʒ',
  K: 'k',
  L: 'l',
  M: 'm',
  N: 'n',
  NG: 'ŋ',
  P: 'p',
  R: 'ɹ',
  S: 's',
  SH: 'ʃ',
  T: 't',
  TH: 'θ',
  V: 'v',
  W: 'w',
  Y: 'j',
  Z: 'z',
  ZH: 'ʒ'
}

const vowels: Readonly<Record<string, string>> = {
  AA: 'ɑː',
  AE: 'æ',
  AH: 'ʌ',
  AO: 'ɔː',
  AW: 'aʊ',
  AY: 'aɪ',
  EH: 'ɛ',
  ER: 'ɜː',
  EY: 'eɪ',
  IH: 'ɪ',
  IY: 'iː',
  OW: 'oʊ',
  OY: 'ɔɪ',
  UH: 'ʊ',
  UW: 'uː'
}

const STRESS_MARKS: Readonly<Record<string, string>> = { 1: 'ˈ', 2: 'ˌ' }

interface Sound {
  readonly name: string
  /** 0 to 2 of a vowel. */
  readonly stress: string | undefined
}

/**
 * ARPAbet as the IPA of espeak-ng's American English, which Piper's English voices were trained with: stress marks stand
 * right before the vowel, unstressed vowels are reduced, `t` between vowels is a tap.
 *
 * @param sounds as `['HH', 'AH0', 'L', 'OW1']`
 * @param spelling of the word, in small letters; an unstressed first vowel depends on it
 */
export function toEspeakIpa(sounds: readonly string[], spelling: string): string {
  const parsed = sounds.map(parseSound)
  let ipa = ''
  for (let at = 0; at < parsed.length; at++) {
    const sound = parsed[at]
    if (sound === undefined) continue
    if (sound.stress === undefined) {
      // `button`: the vowel is not said, and the stop is made in the throat
      if (isButton(parsed, at)) {
        ipa += 'ʔn̩'
        at += 2
      } else ipa += isTap(parsed, at) ? 'ɾ' : (consonants[sound.name] ?? '')
    } else ipa += vowelOf(parsed, at, sound, spelling)
  }
  return ipa
}

function parseSound(sound: string): Sound {
  const [, name = sound, stress] = /^([A-Z]+)([0-2])?$/.exec(sound) ?? []
  return { name, stress }
}

function vowelOf(sounds: readonly Sound[], at: number, { name, stress = '0' }: Sound, spelling: string): string {
  const next = sounds[at + 1]
  const mark = STRESS_MARKS[stress] ?? ''
  // `thirty`, `website`: dictionaries hear a stress on some last vowels, and espeak-ng on none
  if (stress !== '0' && !(name === 'IY' && stress === '2' && next === undefined)) {
    // as in `ear` and `hero`: long before a vowel, short at the end
    if (name === 'IY' && next?.name === 'R') return `${mark}ɪ`
    if (name === 'AY' && next?.name === 'ER' && next.stress === '0') return `${mark}aɪ`
    // the r of `worry` and `during` is said too
    return `${mark}${vowels[name] ?? ''}${name === 'ER' && isVowel(next) ? 'ɹ' : ''}`
  }
  return weakVowel(sounds, at, name, spelling)
}

function weakVowel(sounds: readonly Sound[], at: number, name: string, spelling: string): string {
  const next = sounds[at + 1]
  switch (name) {
    case 'AH':
      if (at === 0) return spelling.startsWith('u') ? 'ʌ' : 'ɐ'
      return 'ə'
    case 'AE':
      return at === 0 ? 'ɐ' : 'æ'
    case 'ER':
      return isVowel(next) ? 'ɚɹ' : 'ɚ'
    case 'IY':
      return next === undefined || isVowel(next) ? 'i' : 'iː'
    case 'IH':
      if (at === 0) return spelling.startsWith('e') ? 'ɛ' : 'ɪ'
      return isBarredI(sounds, at) ? 'ᵻ' : 'ɪ'
    default:
      return vowels[name] ?? ''
  }
}

/** In endings (`horses`, `wanted`, `ability`) and prefixes (`return`, `become`). */
function isBarredI(sounds: readonly Sound[], at: number): boolean {
  const next = sounds[at + 1]
  const last = at + 2 === sounds.length
  if (last && (next?.name === 'Z' || next?.name === 'D')) return true
  if (next?.name === 'L') return true
  if (next?.name === 'T' && sounds[at + 2]?.name === 'IY' && at + 3 === sounds.length) return true
  return at <= 2 && /^[BDR]$/.test(sounds[at - 1]?.name ?? '')
}

function isVowel(sound: Sound | undefined): boolean {
  return sound?.stress !== undefined
}

/** `t` of `letter`, `party`, `ability`. */
function isTap(sounds: readonly Sound[], at: number): boolean {
  const before = sounds[at - 1]
  const after = sounds[at + 1]
  if (sounds[at]?.name !== 'T' || after?.stress !== '0') return false
  return isVowel(before) || (before?.name === 'R' && isVowel(sounds[at - 2]))
}

function isButton(sounds: readonly Sound[], at: number): boolean {
  const [stop, vowel, end] = sounds.slice(at, at + 3)
  if (stop?.name !== 'T' || end?.name !== 'N' || at + 3 !== sounds.length) return false
  return vowel?.name === 'AH' && vowel.stress === '0' && /^[12]$/.test(sounds[at - 1]?.stress ?? '')
}
