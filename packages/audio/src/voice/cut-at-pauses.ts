import { SAMPLE_RATE } from '../audio-limits.ts'
import type { SampleSpan } from './sample-span.ts'

/** Samples of the longest piece: what Whisper hears at once. */
export const PIECE_SAMPLES_MAX = 30 * SAMPLE_RATE

/** A piece holds no more of the pauses before and behind it: what is heard of a long silence is made up. */
const MARGIN_SAMPLES = SAMPLE_RATE

/**
 * Cuts what was said into pieces that a model hears at once. Pieces are in order, do not overlap, are none longer than
 * `samplesMax`, and every sample of speech is in exactly one of them. The cut depends on the spans alone, so it is the
 * same however many nodes there are.
 *
 * A piece takes as many spans as fit and is cut in the middle of a pause; of a pause over two seconds it takes one.
 * Only a span that is longer than a piece is cut within speech.
 *
 * @param speech in order; what overlaps counts once
 * @param total samples in all; spans are cut there
 */
export function cutAtPauses(
  speech: readonly SampleSpan[],
  total: number,
  samplesMax: number = PIECE_SAMPLES_MAX
): SampleSpan[] {
  const spans = apart(speech, total, samplesMax)
  const pieces: SampleSpan[] = []
  let at = 0
  while (at < spans.length) {
    const first = spans[at]
    if (first === undefined) break
    // the margins give way where the speech itself fills a piece
    const start = first.start - Math.min(marginBetween(spans[at - 1], first), samplesMax - (first.end - first.start))
    let last = first
    for (let next = spans[++at]; next !== undefined && next.end - start <= samplesMax; next = spans[++at]) last = next
    const behind = spans[at] ?? { start: total + (total - last.end), end: Number.POSITIVE_INFINITY }
    pieces.push({ start, end: Math.min(start + samplesMax, last.end + marginBetween(last, behind)) })
  }
  return pieces
}

/** Samples of the pause that belong to either side of it. */
function marginBetween(before: SampleSpan | undefined, behind: SampleSpan): number {
  // what is before the first span belongs to it alone
  const half = before === undefined ? behind.start : Math.floor((behind.start - before.end) / 2)
  return Math.min(half, MARGIN_SAMPLES)
}

/** The spans within `[0, total)`, none empty or longer than `samplesMax`, each behind the one before. */
function apart(speech: readonly SampleSpan[], total: number, samplesMax: number): SampleSpan[] {
  const spans: SampleSpan[] = []
  let free = 0
  for (const span of speech) {
    const end = Math.min(span.end, total)
    for (let start = Math.max(span.start, free); start < end; start = free) {
      free = Math.min(end, start + samplesMax)
      spans.push({ start, end: free })
    }
  }
  return spans
}
