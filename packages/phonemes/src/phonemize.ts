import { toEspeakIpa } from './espeak-ipa.ts'
import { weakForm } from './function-words.ts'
import { heteronym } from './heteronyms.ts'
import { type Alphabet, writeIn } from './misaki-ipa.ts'
import { type Dictionary, pronounce, spell } from './pronounce.ts'
import { isEnd, tokenize } from './tokenize.ts'
import type { Token } from './tokens.ts'

/** Phonemes of the longest sentence; a longer one is cut, at a comma where there is one. About 13 s of speech. */
export const SENTENCE_PHONEMES_MAX = 300

export interface SpokenText {
  /** Phonemes of each sentence: IPA characters, stress marks, spaces and punctuation, in the alphabet that was asked for. */
  readonly sentences: readonly string[]
  /** Characters of the text for which there is no sound, such as those of other scripts, each once. */
  readonly unspoken: readonly string[]
}

/** A word and the mark behind it. */
interface SpokenWord {
  readonly ipa: string
  readonly mark: string
}

export interface PhonemizeOptions {
  /** Of one sentence, at least 32. Default {@link SENTENCE_PHONEMES_MAX}. */
  readonly phonemesMax?: number
  /** How sounds are written. Default: as espeak-ng writes American English. */
  readonly alphabet?: Alphabet
}

/**
 * English text as phonemes. Pure; the work is bounded by the length of the text.
 *
 * @returns no sentence where nothing of the text is said
 */
export function phonemize(
  text: string,
  dictionary: Dictionary,
  { phonemesMax = SENTENCE_PHONEMES_MAX, alphabet = 'espeak' }: PhonemizeOptions = {}
): SpokenText {
  const { tokens, unspoken } = tokenize(text)
  const once = remembering(dictionary)
  const written = (words: readonly SpokenWord[]): SpokenWord[] =>
    words.map(({ ipa, mark }) => ({ ipa: writeIn(alphabet, ipa), mark }))
  const sentences = sentencesOf(tokens).flatMap(sentence => cut(written(speak(sentence, once)), phonemesMax))
  return { sentences, unspoken }
}

/** Looks each word of one text up once. */
function remembering(dictionary: Dictionary): Dictionary {
  const known = new Map<string, readonly string[] | undefined>()
  return {
    lookup: word => {
      if (!known.has(word)) known.set(word, dictionary.lookup(word))
      return known.get(word)
    }
  }
}

function sentencesOf(tokens: readonly Token[]): Token[][] {
  const sentences: Token[][] = [[]]
  for (const token of tokens) {
    if (token.kind !== 'break') sentences.at(-1)?.push(token)
    if (token.kind === 'break' || (token.kind === 'mark' && isEnd(token.mark))) sentences.push([])
  }
  return sentences.filter(sentence => sentence.some(({ kind }) => kind !== 'mark'))
}

/** From the last word to the first: some sound otherwise before a vowel. */
function speak(sentence: readonly Token[], dictionary: Dictionary): SpokenWord[] {
  const spoken: SpokenWord[] = []
  let mark = ''
  for (let at = sentence.length - 1; at >= 0; at--) {
    const token = sentence[at]
    if (token === undefined || token.kind === 'break') continue
    if (token.kind === 'mark') {
      mark = token.mark
      continue
    }
    const next = mark === '' ? spoken[0]?.ipa : undefined
    const ipa = ipaOf(token, sentence[at - 1], next, dictionary)
    if (ipa === '') continue
    spoken.unshift({ ipa, mark })
    mark = ''
  }
  return spoken
}

function ipaOf(
  token: Exclude<Token, { kind: 'mark' | 'break' }>,
  before: Token | undefined,
  next: string | undefined,
  dictionary: Dictionary
): string {
  if (token.kind === 'letters') return toEspeakIpa(spell(token.text, token.ending), '')
  const word = token.text.toLowerCase()
  const weak = weakForm(word, next)
  if (weak !== undefined) return weak
  if (areInitials(token.text) && dictionary.lookup(word) === undefined) {
    return toEspeakIpa(spell(token.text, false), '')
  }
  const two = heteronym(word, before?.kind === 'word' ? before.text.toLowerCase() : undefined)
  return toEspeakIpa(two ?? pronounce(word, dictionary), word)
}

/** Capitals, and letters that make no syllable: initials where no dictionary has them. */
function areInitials(word: string): boolean {
  return /^[A-Z]{2,4}$/.test(word) || /^[b-df-hj-np-tv-xz]{1,6}$/i.test(word)
}

/** Parts of a sentence that are short enough, as text. */
function cut(spoken: readonly SpokenWord[], phonemesMax: number): string[] {
  const parts: string[] = []
  let rest = spoken
  while (rest.length > 0) {
    const count = fitting(rest, phonemesMax)
    parts.push(textOf(rest.slice(0, count)).slice(0, phonemesMax))
    rest = rest.slice(count)
  }
  return parts
}

/** Words that fit: all, or those up to the last pause, or as many as there is room for. */
function fitting(spoken: readonly SpokenWord[], phonemesMax: number): number {
  let length = 0
  let pause = 0
  for (const [index, { ipa, mark }] of spoken.entries()) {
    length += Array.from(ipa).length + mark.length + 1
    if (length > phonemesMax) return pause > 0 ? pause : Math.max(1, index)
    if (mark !== '') pause = index + 1
  }
  return spoken.length
}

function textOf(spoken: readonly SpokenWord[]): string {
  const text = spoken.map(({ ipa, mark }) => `${ipa}${mark}`).join(' ')
  // a voice ends as it was trained to: with a mark
  return /[.?!]$/.test(text) ? text : `${text.replace(/[,;:]$/, '')}.`
}
