import { AnswerProgress } from '@resultity/generation'
import type { JobLog } from '@resultity/jobs'

/** Of a job's log, which may have four times as much, for what further attempts go on from. */
const PROGRESS_BYTES_MAX = 16 * 1024 * 1024

/**
 * Keeps one of `count` choices in the log of its job, for a further attempt to go on from.
 * @returns undefined where there would be none
 */
export function keptChoice({ progress }: JobLog, index: number, count: number): AnswerProgress | undefined {
  if (progress === undefined) return undefined
  const kept = new AnswerProgress({ index, entries: progress.earlier, bytesMax: PROGRESS_BYTES_MAX / count })
  kept.onChange(progress.keep(() => kept.take()))
  return kept
}
