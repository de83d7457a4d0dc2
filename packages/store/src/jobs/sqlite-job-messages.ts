import type { ClaimRequest, JobClaim, JobNotice } from '../job-store.ts'
import type { EncodedOutcome, JobLimits } from './job-change.ts'
import type { JobContent, JobRow, LogEntries, SubmittedRow } from './job-row.ts'

export interface StoredJob {
  readonly row: JobRow
  readonly content: JobContent
}

export interface Begin {
  readonly owner: string
  readonly leaseMs: number
}

/** The operations that run in the database's thread, with their inputs and results. */
export interface SqliteJobOperations {
  /** `content` is set only for a job that was stored before; for a new one the caller has it. */
  submit(input: { readonly submitted: SubmittedRow; readonly begin: Begin | null; readonly bytesMax: number }): {
    readonly row: JobRow
    readonly content: JobContent | null
    readonly begun: boolean
  }
  submitAll(input: { readonly rows: readonly SubmittedRow[]; readonly bytesMax: number }): null
  get(id: string): StoredJob | null
  claim(input: {
    readonly begin: Begin
    readonly claimRequests: readonly ClaimRequest[]
    readonly limits: JobLimits
  }): readonly StoredJob[]
  renew(input: { readonly claims: readonly JobClaim[]; readonly leaseMs: number }): readonly JobClaim[]
  append(input: { readonly claim: JobClaim; readonly after: number; readonly entries: LogEntries }): number
  finish(input: { readonly claim: JobClaim; readonly outcome: EncodedOutcome; readonly limits: JobLimits }): {
    readonly job: StoredJob
    readonly notices: readonly JobNotice[]
  }
  cancel(id: string): { readonly job: StoredJob; readonly notices: readonly JobNotice[] } | null
  cancelGroup(groupId: string): readonly JobNotice[]
  /** `[number of the last entry, entries]` of each row, until there are `limit` entries or some hundred kilobytes. */
  logs(input: {
    readonly id: string
    readonly after: number
    readonly limit: number
  }): readonly (readonly [number, string])[]
  /**
   * At most some thousand at once; `more` says whether to go on. With `everyLease`, all that is running counts as
   * abandoned: this process has just begun, and there is no other.
   */
  sweep(input: { readonly everyLease: boolean; readonly limits: JobLimits }): {
    readonly notices: readonly JobNotice[]
    readonly more: boolean
  }
  /** Removes some of a job's group; when those are gone, the job itself. `more` says whether to go on. */
  remove(id: string): { readonly removed: boolean; readonly more: boolean }
  prune(input: { readonly endedBeforeMs: number; readonly unstoredBeforeMs: number; readonly limit: number }): number
}
