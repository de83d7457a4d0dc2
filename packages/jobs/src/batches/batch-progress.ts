import { createHash } from 'node:crypto'
import type { Batch, BatchStore, JobState, JobStore } from '@resultity/store'

/** How far the lines of a batch are. */
export interface BatchCounts {
  readonly total: number
  readonly completed: number
  readonly failed: number
  /** Became jobs that have not ended. */
  readonly open: number
  /** Jobs that did not start in time. */
  readonly expired: number
}

/** Counts the lines that have ended, as the stores have them now. */
export async function countLines(
  batch: Batch,
  { store, batches }: { readonly store: JobStore; readonly batches: BatchStore }
): Promise<BatchCounts> {
  const total = batch.linesTotal ?? 0
  if (batch.linesCompleted !== null) {
    return { total, completed: batch.linesCompleted, failed: batch.linesFailed ?? 0, open: 0, expired: 0 }
  }
  const jobs = await store.countGroup(batch.jobId)
  const errors = await batches.countLineErrors(batch.id)
  const count = (...states: JobState[]): number => states.reduce((sum, state) => sum + (jobs[state] ?? 0), 0)
  return {
    total,
    completed: count('succeeded'),
    failed: count('failed', 'cancelled', 'expired') + errors,
    open: count('queued', 'running'),
    expired: count('expired')
  }
}

/** Ids of a batch's files follow from the batch's id, so that writing them again replaces them. */
export function batchFileId(batchId: string, kind: 'output' | 'errors'): string {
  const digest = createHash('sha256').update(`${batchId}\n${kind}`).digest('hex')
  return `file-${digest.slice(0, 32)}`
}
