import { soundsOfLetters, WORD_LETTERS_MAX } from './letter-sounds.ts'

/** What {@link pronounce} needs of a dictionary. */
export interface Dictionary {
  /** @param word in small letters @returns ARPAbet with stress */
  lookup(word: string): readonly string[] | undefined
}

const VOICELESS = new Set(['P', 'T', 'K', 'F', 'TH'])
const HISSING = new Set(['S', 'Z', 'SH', 'ZH', 'CH', 'JH'])

/** Letters of each part of a compound, at the least. */
const PART_MIN = 3

const prefixes: Readonly<Record<string, readonly string[]>> = {
  un: ['AH0', 'N'],
  re: ['R', 'IY0'],
  non: ['N', 'AA0', 'N'],
  pre: ['P', 'R', 'IY0'],
  over: ['OW2', 'V', 'ER0'],
  under: ['AH2', 'N', 'D', 'ER0'],
  micro: ['M', 'AY1', 'K', 'R', 'OW0'],
  multi: ['M', 'AH1', 'L', 'T', 'IY0'],
  super: ['S', 'UW1', 'P', 'ER0'],
  auto: ['AO1', 'T', 'OW0']
}

const suffixes: readonly (readonly [suffix: string, sounds: readonly string[]])[] = [
  ['ing', ['IH0', 'NG']],
  ['ings', ['IH0', 'NG', 'Z']],
  ['er', ['ER0']],
  ['ers', ['ER0', 'Z']],
  ['est', ['AH0', 'S', 'T']],
  ['ly', ['L', 'IY0']],
  ['ness', ['N', 'AH0', 'S']],
  ['less', ['L', 'AH0', 'S']],
  ['ful', ['F', 'AH0', 'L']],
  ['ment', ['M', 'AH0', 'N', 'T']],
  ['ments', ['M', 'AH0', 'N', 'T', 'S']],
  ['able', ['AH0', 'B', 'AH0', 'L']],
  ['ish', ['IH0', 'SH']],
  ['y', ['IY0']]
]

/**
 * How a word is said by itself: as the dictionary has it, as made of words that it has, or by rules of letters.
 *
 * @param word in small letters, with apostrophes
 * @returns ARPAbet with stress; empty where nothing of it is said
 */
export function pronounce(word: string, dictionary: Dictionary): readonly string[] {
  const bare = word.slice(0, WORD_LETTERS_MAX).replace(/^'+|'+$/g, '')
  const known = dictionary.lookup(bare) ?? inflected(bare, dictionary)
  if (known !== undefined) return known
  if (bare.endsWith("'s")) return withS(pronounce(bare.slice(0, -2), dictionary))
  const letters = bare.replaceAll("'", '')
  return dictionary.lookup(letters) ?? derived(letters, dictionary) ?? soundsOfLetters(letters)
}

/** Plural, genitive and past of a word: the ending's sound follows from what it stands behind. */
function inflected(word: string, dictionary: Dictionary): readonly string[] | undefined {
  const genitive = word.endsWith("'s")
  if (genitive || /[^s']s$/.test(word)) {
    const stems = genitive ? [word.slice(0, -2)] : [word.slice(0, -1), word.slice(0, -2), `${word.slice(0, -3)}y`]
    // `es` and `ies` are endings, other letters before the s are the word's own
    const stem = first(stems.slice(0, word.endsWith('ies') ? 3 : /es$/.test(word) ? 2 : 1), dictionary)
    if (stem !== undefined) return withS(stem)
  }
  if (!word.endsWith('ed')) return undefined
  const base = word.slice(0, -2)
  const stem = first([base, word.slice(0, -1), undoubled(base), base.replace(/i$/, 'y')], dictionary)
  return stem === undefined ? undefined : withD(stem)
}

function derived(word: string, dictionary: Dictionary): readonly string[] | undefined {
  return suffixed(word, dictionary) ?? prefixed(word, dictionary) ?? compound(word, dictionary)
}

function suffixed(word: string, dictionary: Dictionary): readonly string[] | undefined {
  for (const [suffix, sounds] of suffixes) {
    if (!word.endsWith(suffix) || word.length < suffix.length + PART_MIN) continue
    const base = word.slice(0, -suffix.length)
    const stem = first([base, `${base}e`, undoubled(base), base.replace(/i$/, 'y')], dictionary)
    if (stem !== undefined) return [...stem, ...sounds]
  }
  return undefined
}

function prefixed(word: string, dictionary: Dictionary): readonly string[] | undefined {
  for (const [prefix, sounds] of Object.entries(prefixes)) {
    if (!word.startsWith(prefix) || word.length < prefix.length + PART_MIN) continue
    const rest = word.slice(prefix.length)
    const stem = dictionary.lookup(rest) ?? inflected(rest, dictionary) ?? suffixed(rest, dictionary)
    if (stem !== undefined) return [...sounds, ...stem]
  }
  return undefined
}

/** Two words in one: the longest first part that leaves a word. The second has the weaker stress. */
function compound(word: string, dictionary: Dictionary): readonly string[] | undefined {
  for (let cut = word.length - PART_MIN; cut >= PART_MIN; cut--) {
    const head = dictionary.lookup(word.slice(0, cut))
    if (head === undefined) continue
    const rest = word.slice(cut)
    const tail = dictionary.lookup(rest) ?? inflected(rest, dictionary)
    if (tail !== undefined) return [...head, ...tail.map(sound => sound.replace(/1$/, '2'))]
  }
  return undefined
}

function first(words: readonly string[], dictionary: Dictionary): readonly string[] | undefined {
  for (const word of words) {
    const sounds = word.length < 2 ? undefined : dictionary.lookup(word)
    if (sounds !== undefined) return sounds
  }
  return undefined
}

function undoubled(base: string): string {
  return base.replace(/([bdfgklmnprstvz])\1$/, '$1')
}

/** A word and the ending s. */
export function withS(sounds: readonly string[]): readonly string[] {
  const last = sounds.at(-1) ?? ''
  if (HISSING.has(last)) return [...sounds, 'IH0', 'Z']
  return [...sounds, VOICELESS.has(last) ? 'S' : 'Z']
}

function withD(sounds: readonly string[]): readonly string[] {
  const last = sounds.at(-1) ?? ''
  if (last === 'T' || last === 'D') return [...sounds, 'IH0', 'D']
  return [...sounds, VOICELESS.has(last) || (HISSING.has(last) && !/^(?:Z|ZH|JH)$/.test(last)) ? 'T' : 'D']
}

const LETTER_NAMES: Readonly<Record<string, string>> = {
  a: 'EY1',
  b: 'B IY1',
  c: 'S IY1',
  d: 'D IY1',
  e: 'IY1',
  f: 'EH1 F',
  g: 'JH IY1',
  h: 'EY1 CH',
  i: 'AY1',
  j: 'JH EY1',
  k: 'K EY1',
  l: 'EH1 L',
  m: 'EH1 M',
  n: 'EH1 N',
  o: 'OW1',
  p: 'P IY1',
  q: 'K Y UW1',
  r: 'AA1 R',
  s: 'EH1 S',
  t: 'T IY1',
  u: 'Y UW1',
  v: 'V IY1',
  w: 'D AH1 B AH0 L Y UW0',
  x: 'EH1 K S',
  y: 'W AY1',
  z: 'Z IY1'
}

/** Letters one by one, the last with the strongest stress. @param text basic Latin letters */
export function spell(text: string, ending: boolean): readonly string[] {
  const names = Array.from(text.toLowerCase(), letter => (LETTER_NAMES[letter] ?? '').split(' '))
  const sounds = names.flatMap((name, index) => {
    return index === names.length - 1 ? name : name.map(sound => sound.replace(/1$/, '2'))
  })
  return ending ? withS(sounds) : sounds
}
