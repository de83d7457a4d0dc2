import type { BatchRunInit } from './batches/batch-run.ts'
import type { FileServiceInit } from './files/file-service.ts'
import type { JobRuntimeInit } from './job-runtime.ts'

/** Limits and times of jobs, batches and files. */
export interface JobLimits extends JobRuntimeInit, BatchRunInit, FileServiceInit {
  /** Jobs at once that only wait for others: batches, ensembles. */
  readonly groupsMax: number
  /** What one namespace may have stored: files, answers of batches, and bodies, logs and results of requests. */
  readonly namespaceBytesMax: number
  /** Space on the disk below which nothing new is stored. */
  readonly diskReserveBytes: number
}

/** Defaults of the limits. */
export const DEFAULT_JOB_LIMITS: JobLimits = {
  jobLeaseMs: 15_000,
  jobSweepMs: 1000,
  queuedMax: 10_000,
  queuedBatchMax: 100_000,
  slotWaitMs: 30_000,
  detachedWaitMs: 24 * 60 * 60_000,
  jobAttemptsMax: 3,
  jobNodeLossesMax: 3,
  jobRetryMs: 1000,
  jobRetentionMs: 7 * 24 * 60 * 60_000,
  unstoredRetentionMs: 10 * 60_000,
  logDelayMs: 1000,
  logPendingMax: 1024,
  batchLinesMax: 50_000,
  batchLineBytesMax: 1024 * 1024,
  batchOpenMax: 2000,
  jobCrashesMax: 3,
  batchPollMs: 1000,
  fileBytesMax: 200 * 1024 * 1024,
  fileRetentionMs: 30 * 24 * 60 * 60_000,
  fileSweepMs: 60_000,
  groupsMax: 1024,
  namespaceBytesMax: 20 * 1024 ** 3,
  diskReserveBytes: 1024 ** 3
}
