import type { TokenBytes } from './speech-units.ts'
import { textOf } from './token-text.ts'

/** A word, and the tokens that write it. Its text begins with the space before it, where it has one. */
export interface SpokenWord {
  readonly text: string
  readonly tokens: readonly number[]
}

/** Languages that are written without spaces between words: there, every character stands for itself. */
const UNSPACED: ReadonlySet<string> = new Set(['zh', 'ja', 'th', 'lo', 'my', 'yue'])

/** ASCII's punctuation, in its order. */
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'

/** Belongs to the word behind it. */
const OPENING = '"\'“¿([{-'

/** Belongs to the word before it. */
const CLOSING = '"\'.。,，!！?？:：”)]}、'

const REPLACEMENT = '\ufffd'

/** Cuts text tokens into words, as OpenAI's reference does (`tokenizer.py`, `split_to_word_tokens`). */
export function wordsOf(tokens: readonly number[], language: string, bytesOf: TokenBytes): SpokenWord[] {
  const pieces = wholeCharacters(tokens, bytesOf)
  return UNSPACED.has(language) ? pieces : joinedUpToSpaces(pieces)
}

/** The shortest runs of tokens that write whole characters. */
function wholeCharacters(tokens: readonly number[], bytesOf: TokenBytes): SpokenWord[] {
  const whole = textOf(tokens, bytesOf)
  const pieces: SpokenWord[] = []
  let run: number[] = []
  let offset = 0
  for (const token of tokens) {
    run.push(token)
    const text = textOf(run, bytesOf)
    const broken = text.indexOf(REPLACEMENT)
    // where the whole text has it too, no further token will mend it
    if (broken !== -1 && whole[offset + broken] !== REPLACEMENT) continue
    pieces.push({ text, tokens: run })
    offset += text.length
    run = []
  }
  return run.length === 0 ? pieces : [...pieces, { text: textOf(run, bytesOf), tokens: run }]
}

function joinedUpToSpaces(pieces: readonly SpokenWord[]): SpokenWord[] {
  const words: SpokenWord[] = []
  for (const piece of pieces) {
    const last = words.at(-1)
    const alone = piece.text.startsWith(' ') || PUNCTUATION.includes(piece.text.trim())
    if (last === undefined || alone) words.push(piece)
    else words[words.length - 1] = joined(last, piece)
  }
  return words
}

function joined<T extends SpokenWord>(first: T, second: SpokenWord): T {
  return { ...first, text: first.text + second.text, tokens: [...first.tokens, ...second.tokens] }
}

/**
 * Joins punctuation with the words it belongs to, as OpenAI's reference does (`timing.py`, `merge_punctuations`). A joined word
 * keeps the times of the word.
 */
export function withPunctuation<T extends SpokenWord>(words: readonly T[]): T[] {
  const opened: T[] = []
  for (const word of words.toReversed()) {
    const following = opened.at(-1)
    const opens = word.text.startsWith(' ') && OPENING.includes(word.text.trim())
    if (following === undefined || !opens) opened.push(word)
    else
      opened[opened.length - 1] = {
        ...following,
        text: word.text + following.text,
        tokens: [...word.tokens, ...following.tokens]
      }
  }
  const closed: T[] = []
  for (const word of opened.toReversed()) {
    const before = closed.at(-1)
    if (before === undefined || before.text.endsWith(' ') || !CLOSING.includes(word.text)) closed.push(word)
    else closed[closed.length - 1] = joined(before, word)
  }
  return closed
}
