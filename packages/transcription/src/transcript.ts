import type { TranscribedPiece } from '@resultity/generation'
import { SPEECH_SAMPLE_RATE } from '@resultity/interface'
import type { ModelTokenizer } from '@resultity/tokenizer'
import type { TokenLogprob } from './transcription-schema.ts'

const FRAMES_PER_SECOND = 100

export interface SpokenWord {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** What was said without a pause; times are in the recording. */
export interface TranscriptSegment {
  readonly seek: number
  readonly start: number
  readonly end: number
  /** It begins with the space that is before it. */
  readonly text: string
  readonly tokens: readonly number[]
  readonly temperature: number
  readonly averageLogprob: number
  readonly compressionRatio: number
  readonly noSpeech: number
  readonly logprobs: readonly TokenLogprob[]
  readonly words: readonly SpokenWord[]
}

/** How tokens of a model become text. */
export interface TranscriptText {
  readonly tokenizer: Pick<ModelTokenizer, 'decode'>
  /** Ids below it are text. */
  readonly endOfText: number
}

/**
 * The segments of a piece, where they are in the recording.
 *
 * @param startSample where the piece begins
 */
export function segmentsOf(
  { segments }: Pick<TranscribedPiece, 'segments'>,
  startSample: number,
  { tokenizer, endOfText }: TranscriptText
): TranscriptSegment[] {
  const shift = startSample / SPEECH_SAMPLE_RATE
  const placed = (seconds: number): number => Math.round((seconds + shift) * 1000) / 1000
  return segments.map(({ seek, start, end, tokens, logprobs, words = [], ...measures }) => ({
    ...measures,
    seek: seek + Math.round(shift * FRAMES_PER_SECOND),
    start: placed(start),
    end: placed(end),
    text: tokenizer.decode(tokens.filter(token => token < endOfText)).trimEnd(),
    tokens,
    logprobs: tokens.flatMap((token, index): TokenLogprob[] => {
      if (token >= endOfText) return []
      const text = tokenizer.decode([token])
      return [{ token: text, logprob: logprobs[index] ?? 0, bytes: [...Buffer.from(text, 'utf8')] }]
    }),
    words: words.map(word => ({
      text: tokenizer.decode(word.tokens).trim(),
      start: placed(word.start),
      end: placed(word.end)
    }))
  }))
}

/** What a segment adds to the text before it. */
export function deltaOf({ text }: Pick<TranscriptSegment, 'text'>, before: string): string {
  return before === '' ? text.trimStart() : text
}

/** The text of segments, one after the other. */
export function wholeText(segments: readonly Pick<TranscriptSegment, 'text'>[]): string {
  return segments.reduce((before, segment) => before + deltaOf(segment, before), '')
}
