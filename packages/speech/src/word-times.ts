import type { SpeechSession, WhisperConfig, WorkOptions } from '@resultity/interface'
import { firstColumns, tokenAlignment } from './alignment.ts'
import { type SpeechTask, taskTokens } from './decoding-prompt.ts'
import { FRAMES_PER_POSITION, FRAMES_PER_SECOND, TIMESTAMP_SECONDS, type TokenBytes } from './speech-units.ts'
import { type SpokenWord, withPunctuation, wordsOf } from './spoken-words.ts'
import type { WindowFrames } from './window-segments.ts'

/** A word, and when it is said: seconds from the beginning of the piece. */
export interface TimedWord extends SpokenWord {
  readonly start: number
  readonly end: number
}

export interface WindowWordsInit {
  readonly config: WhisperConfig
  readonly bytesOf: TokenBytes
  readonly language: string
  readonly task: SpeechTask
  readonly window: WindowFrames
}

/** Ends of sentences, behind which a word that seems long most likely has a pause in it. */
const SENTENCE_ENDS = '.。!！?？'

/** No word takes longer than twice the median, and that counts as so many seconds at the most. */
const MEDIAN_SECONDS_MAX = 0.7

/** The words of a window's text with their times, punctuation joined to them; and the longest that a word may take. */
export interface WindowWords {
  readonly words: readonly TimedWord[]
  readonly medianSeconds: number
}

/**
 * Times the words of a window by how the decoder attended to the sound when it reads its own text once more.
 *
 * @param text text tokens of all segments of the window
 * @throws MeshError `engine_failed`; the signal's reason
 */
export async function timedWords(
  session: SpeechSession,
  text: readonly number[],
  { config, bytesOf, language, task, window }: WindowWordsInit,
  options: WorkOptions
): Promise<WindowWords> {
  if (text.length === 0) return { words: [], medianSeconds: 0 }
  const { startOfTranscript, noTimestamps, endOfText } = config.tokens
  const opening = [startOfTranscript, ...taskTokens(config, language, task)]
  const tokens = [...opening, noTimestamps, ...text, endOfText]
  session.truncate(0)
  const weights = await session.align(tokens, options)
  const filled = Math.max(1, Math.floor(window.count / FRAMES_PER_POSITION))
  const shape = { heads: config.alignmentHeads.length, tokens: tokens.length, positions: config.audioContext, filled }
  const { values } = await tokenAlignment(weights, shape)
  // each row says where the token behind it is heard: the last one's is where the text ends
  const rows = text.length + 1
  const first = opening.length * filled
  const columns = firstColumns({ values: values.subarray(first, first + rows * filled), rows, columns: filled })
  const secondsOf = (token: number): number =>
    window.first / FRAMES_PER_SECOND + (columns[token] ?? 0) * TIMESTAMP_SECONDS
  let from = 0
  const words = wordsOf(text, language, bytesOf).map((word): TimedWord => {
    const start = secondsOf(from)
    from += word.tokens.length
    return { ...word, start, end: secondsOf(from) }
  })
  const medianSeconds = Math.min(MEDIAN_SECONDS_MAX, median(words.map(({ start, end }) => end - start).filter(Boolean)))
  return { words: withPunctuation(shortenedAtSentences(words, 2 * medianSeconds)), medianSeconds }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

/** Punctuation that ends a sentence, and the word behind it, are no longer than `longest`. */
function shortenedAtSentences(words: readonly TimedWord[], longest: number): TimedWord[] {
  const isEnd = (word: TimedWord | undefined): boolean => word !== undefined && SENTENCE_ENDS.includes(word.text)
  return words.map((word, index) => {
    if (index === 0 || word.end - word.start <= longest) return word
    if (isEnd(word)) return { ...word, end: word.start + longest }
    return isEnd(words[index - 1]) ? { ...word, start: word.end - longest } : word
  })
}

/** A segment with the words said in it. */
export interface SegmentWords {
  readonly start: number
  readonly end: number
  readonly words: readonly TimedWord[]
}

/** The times of a segment, how many text tokens it has, and when the words before it ended. */
export interface SegmentTimes {
  readonly start: number
  readonly end: number
  readonly textTokens: number
}

/**
 * Gives each segment of a window its words, and lets the times of both agree, as OpenAI's reference does (`timing.py`,
 * `add_word_timestamps`): where words and segment differ by half a second, the segment is right.
 *
 * @param spokenUntil seconds at which the last word before the window ended
 */
export function segmentWords(
  segments: readonly SegmentTimes[],
  { words, medianSeconds }: WindowWords,
  spokenUntil: number
): SegmentWords[] {
  let next = 0
  let until = spokenUntil
  return segments.map(segment => {
    const own: TimedWord[] = []
    for (let tokens = 0; tokens < segment.textTokens && next < words.length; next++) {
      const word = words[next]
      if (word === undefined) break
      tokens += word.tokens.length
      own.push({ ...word, start: hundredths(word.start), end: hundredths(word.end) })
    }
    const fitted = fit(segment, own, medianSeconds, until)
    if (own.length > 0) until = fitted.end
    return fitted
  })
}

/** @param until when the words before it ended */
function fit({ start, end }: SegmentTimes, words: readonly TimedWord[], median: number, until: number): SegmentWords {
  const [head, ...others] = afterPause(words, median, until)
  if (head === undefined) return { start, end, words }
  const early = start < head.end && start - 0.5 > head.start
  const first = early ? { ...head, start: Math.max(0, Math.min(head.end - median, start)) } : head
  const timed = [first, ...others]
  const last = timed.at(-1) ?? first
  const late = end > last.start && end + 0.5 < last.end
  timed[timed.length - 1] = late ? { ...last, end: Math.max(last.start + median, end) } : last
  return { start: early ? start : first.start, end: late ? end : last.end, words: timed }
}

/** The first and the second word after a pause are no longer than twice the median. */
function afterPause(words: readonly TimedWord[], median: number, until: number): readonly TimedWord[] {
  const [first, second, ...others] = words
  const longest = 2 * median
  if (first === undefined || first.end - until <= 4 * median) return words
  const bothLong = second !== undefined && second.end - first.start > 2 * longest
  if (first.end - first.start <= longest && !bothLong) return words
  if (second === undefined) return [{ ...first, start: Math.max(0, first.end - longest) }]
  if (second.end - second.start <= longest) {
    return [{ ...first, start: Math.max(0, first.end - longest) }, second, ...others]
  }
  const boundary = Math.max(second.end / 2, second.end - longest)
  return [
    { ...first, start: Math.max(0, boundary - longest), end: boundary },
    { ...second, start: boundary },
    ...others
  ]
}

/** Two decimals, as the reference rounds. */
function hundredths(seconds: number): number {
  return Math.round(seconds * 100) / 100
}
