import type { WhisperTokens } from '@resultity/interface'
import { FRAMES_PER_POSITION, FRAMES_PER_SECOND } from './speech-units.ts'

/** Frames of one window in a piece of sound. */
export interface WindowFrames {
  readonly first: number
  readonly count: number
}

/** Tokens of a window between two timestamps, both of which are among them. */
export interface TimedTokens {
  /** Seconds from the beginning of the piece. */
  readonly start: number
  readonly end: number
  /** Of the window's tokens: the first. */
  readonly from: number
  readonly tokens: readonly number[]
}

export interface SplitWindow {
  readonly segments: readonly TimedTokens[]
  /** Frame at which the next window begins: where the last whole segment ended, else behind this window. */
  readonly next: number
}

/**
 * Cuts a window's tokens at pairs of timestamps, as OpenAI's reference does (`transcribe.py`). A segment that the window's end
 * cut off is left out: the next window hears it whole.
 *
 * @param last whether there will be no further window: then nothing is left out
 */
export function splitWindow(
  tokens: readonly number[],
  window: WindowFrames,
  { firstTimestamp }: Pick<WhisperTokens, 'firstTimestamp'>,
  last = false
): SplitWindow {
  const isTimestamp = (token: number | undefined): boolean => token !== undefined && token >= firstTimestamp
  const frameOf = (token: number | undefined): number =>
    ((token ?? firstTimestamp) - firstTimestamp) * FRAMES_PER_POSITION
  const seconds = (frame: number): number => (window.first + frame) / FRAMES_PER_SECOND
  const behind = window.first + window.count
  const cuts = tokens.flatMap((token, index) => (isTimestamp(token) && isTimestamp(tokens[index - 1]) ? [index] : []))
  if (cuts.length === 0) {
    // one timestamp may say where it ends
    const end = frameOf(tokens.findLast(isTimestamp)) || window.count
    return { segments: [{ start: seconds(0), end: seconds(end), from: 0, tokens }], next: behind }
  }
  const closed = isTimestamp(tokens.at(-1)) && !isTimestamp(tokens.at(-2))
  if (closed || last) cuts.push(tokens.length)
  let from = 0
  const segments = cuts.map((cut): TimedTokens => {
    const part = tokens.slice(from, cut)
    const begin = from
    from = cut
    const end = isTimestamp(part.at(-1)) ? frameOf(part.at(-1)) : window.count
    return { start: seconds(frameOf(part[0])), end: seconds(end), from: begin, tokens: part }
  })
  if (closed || last) return { segments, next: behind }
  // a window that would begin where this one did hears nothing else
  const heard = frameOf(tokens[from - 1])
  return { segments, next: heard > 0 ? window.first + heard : behind }
}
