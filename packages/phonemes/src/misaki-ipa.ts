/** Ways of writing sounds: espeak-ng's, which Piper's voices read, and misaki's of two accents, which Kokoro's read. */
export const alphabets = ['espeak', 'misaki-us', 'misaki-gb'] as const
export type Alphabet = (typeof alphabets)[number]

/** Begins a vowel: stress marks stand right before theirs. */
const VOWEL = '[ˈˌaeiouæɑɐɔəɚɛɜɪʊʌᵻ]'

/**
 * Sounds that misaki, which wrote what Kokoro was trained with, has one letter for, or another one than espeak-ng: in this order.
 * The letters are those of https://github.com/hexgrad/misaki/blob/main/EN_PHONES.md
 */
const common: readonly (readonly [espeak: RegExp, misaki: string])[] = [
  [/tʃ/g, 'ʧ'],
  [/dʒ/g, 'ʤ'],
  [/eɪ/g, 'A'],
  [/aɪ/g, 'I'],
  [/aʊ/g, 'W'],
  [/ɔɪ/g, 'Y'],
  // `button` and `little` have a vowel so small that it hardly is one
  [/ʔn\u0329/g, 'tᵊn'],
  [new RegExp(`əl(?!${VOWEL})`, 'g'), 'ᵊl'],
  [/ɐ/g, 'ə']
]

const american: typeof common = [...common, [/oʊ/g, 'O'], [/ɾ/g, 'T'], [/ɜːɹ?/g, 'ɜɹ'], [/ɚɹ?/g, 'əɹ'], [/ː/g, '']]

/** The words keep their American vowels but for these, and lose each `r` that no vowel follows. */
const british: typeof common = [
  ...common,
  [/oʊ/g, 'Q'],
  [/ɾ/g, 't'],
  [/ɚ/g, 'ə'],
  [/ᵻ/g, 'ɪ'],
  [new RegExp(`ɪɹ(?!${VOWEL})`, 'g'), 'ɪə'],
  [new RegExp(`ʊɹ(?!${VOWEL})`, 'g'), 'ʊə'],
  [new RegExp(`ɛɹ(?!${VOWEL})`, 'g'), 'ɛː'],
  [new RegExp(`(?<=ː)ɹ(?!${VOWEL})`, 'g'), '']
]

const rules: Readonly<Record<Alphabet, typeof common>> = { espeak: [], 'misaki-us': american, 'misaki-gb': british }

/** @param ipa of one word, as espeak-ng writes American English */
export function writeIn(alphabet: Alphabet, ipa: string): string {
  return rules[alphabet].reduce((written, [espeak, misaki]) => written.replaceAll(espeak, misaki), ipa)
}
