import type { JobError } from '../job.ts'

/**
 * - `validating`  its lines are being counted
 * - `in_progress` lines become jobs, and these run
 * - `finalizing`  all lines have ended; the files are being written
 * - `completed`   the files are there
 * - `failed`      its input is not a valid batch
 * - `expired`     its time was over before all lines had run; the files say which did
 * - `cancelling`  its client asked to cancel it; lines that run may end
 * - `cancelled`   as `expired`, because its client cancelled it
 */
export const batchStatuses = [
  'validating',
  'failed',
  'in_progress',
  'finalizing',
  'completed',
  'expired',
  'cancelling',
  'cancelled'
] as const
export type BatchStatus = (typeof batchStatuses)[number]

export const unfinishedStatuses: readonly BatchStatus[] = ['validating', 'in_progress', 'finalizing', 'cancelling']

/** A fault of a whole input. */
export interface BatchFailure {
  readonly code: string
  readonly message: string
  /** Null where it is no line's fault. */
  readonly line: number | null
  readonly param: string | null
}

/**
 * Lines that are being made into jobs, and the lines over which processes have ended. It is kept for the attempt after
 * a crash.
 */
export interface BatchPreparing {
  /** First and last line that was begun and has not ended; null: none. */
  readonly begun: readonly [first: number, last: number] | null
  /** How often a process ended over each line, by its number. */
  readonly deaths: Readonly<Record<string, number>>
}

export interface NewBatch {
  readonly id: string
  readonly namespace: string
  readonly keyId: string | null
  /** Id of the batch's job; the lines are its group. */
  readonly jobId: string
  readonly endpoint: string
  readonly inputFileId: string
  readonly completionWindow: string
  readonly metadata: Readonly<Record<string, string>> | null
  /** How long its output is kept; null for as long as usual. */
  readonly outputExpiresSeconds: number | null
  /** Where lines run that do not say; null: anywhere. */
  readonly subcloud: string | null
  /** Unix milliseconds. */
  readonly createdAtMs: number
  readonly expiresAtMs: number
}

export interface Batch extends NewBatch {
  readonly status: BatchStatus
  /** When it entered each status that it had. */
  readonly entered: Readonly<Partial<Record<BatchStatus, number>>>
  /** Null until they are counted. */
  readonly linesTotal: number | null
  /** Lines from the first on that became jobs or errors. */
  readonly linesTaken: number
  /** Null until it has ended. */
  readonly linesCompleted: number | null
  readonly linesFailed: number | null
  readonly failures: readonly BatchFailure[] | null
  readonly outputFileId: string | null
  readonly errorFileId: string | null
  readonly preparing: BatchPreparing | null
}

export interface BatchChange {
  readonly status?: BatchStatus
  readonly linesTotal?: number
  readonly linesTaken?: number
  readonly linesCompleted?: number
  readonly linesFailed?: number
  readonly failures?: readonly BatchFailure[]
  readonly outputFileId?: string
  readonly errorFileId?: string
  readonly preparing?: BatchPreparing | null
}

/** A line that never became a job. */
export interface BatchLineError {
  /** From 1. */
  readonly line: number
  readonly customId: string | null
  readonly error: JobError
}

export interface BatchFilter {
  readonly namespace: string
  /** Only batches after the one with this id, the newest first. */
  readonly after?: string
  readonly limit: number
}

/** Batches, and the lines of them that are no jobs. */
export interface BatchStore {
  /** Adds the batch, or returns the one that is stored already. */
  add(batch: NewBatch): Promise<Batch>
  find(id: string): Promise<Batch | undefined>
  /** @throws MeshError `not_found` when `filter.after` names no batch */
  list(filter: BatchFilter): Promise<{ readonly batches: readonly Batch[]; readonly hasMore: boolean }>
  /**
   * Changes a batch in one transaction, if it has one of these statuses.
   * @returns undefined when there is no such batch, or it has another status now
   */
  change(id: string, from: readonly BatchStatus[], change: BatchChange, nowMs: number): Promise<Batch | undefined>
  /** Adds errors of lines. Existing ones stay as they are. */
  addLineErrors(batchId: string, errors: readonly BatchLineError[]): Promise<void>
  /** Errors of lines after `afterLine`, in order. */
  lineErrors(batchId: string, afterLine: number, limit: number): Promise<readonly BatchLineError[]>
  countLineErrors(batchId: string): Promise<number>
  /** Jobs of batches that have ended, of which this file is the input or an output. */
  jobsOf(fileId: string): Promise<readonly string[]>
  /** Whether a batch that has not ended reads the file. */
  reads(fileId: string): Promise<boolean>
}
