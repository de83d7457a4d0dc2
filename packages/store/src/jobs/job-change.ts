import { MeshError } from '@resultity/interface'
import type { Moment } from '../database/clocks.ts'
import { encodeJson } from '../database/json-column.ts'
import { isFinal, type JobError, type JobState } from '../job.ts'
import type { JobClaim, JobNotice } from '../job-store.ts'
import { bytesOf } from '../storage/byte-quota.ts'
import type { JobContent, JobRow, LogEntries } from './job-row.ts'

/** A change of a job, for a store to write. Both stores decide here, so they cannot differ. */
export interface JobChange {
  readonly set: Partial<JobRow>
  readonly entries?: LogEntries
  readonly content?: Partial<JobContent>
  readonly notices: readonly JobNotice[]
}

/** `JobOutcome` with its JSON as text. */
export type EncodedOutcome =
  | { readonly state: 'succeeded'; readonly content: Pick<JobContent, 'result' | 'usage'> }
  | { readonly state: 'failed'; readonly content: Pick<JobContent, 'error'> }
  | { readonly state: 'cancelled' }
  | { readonly state: 'queued'; readonly interrupted: boolean; readonly nodesLost?: number }

export interface JobLimits {
  /** Attempts of one job that may end with their coordinator, before it is taken for the cause. */
  readonly interruptionsMax: number
  /** The same for jobs of some endpoints, by path: those that run for long. */
  readonly interruptionsMaxOf?: Readonly<Record<string, number>>
  /**
   * Lanes of jobs that only wait for others. Jobs of other lanes that may end processes run one at a time; a job of
   * these lanes would then wait for a part of its own.
   */
  readonly waitingLanes?: readonly string[]
}

/**
 * Condition of a job during which a coordinator ended. Only one such job runs at a time, so that the next end names the
 * cause. Jobs that only ran at the same time are done beside it, and are not counted again.
 */
export const isSuspect = 'interruptions > handed_back'
/** A log that outgrows its reservation takes this much more at a time. */
const RESERVED_MORE_BYTES = 64 * 1024

/** Limit of body and log of one job together: far more than the longest answer with all its reports. */
export const JOB_BYTES_MAX = 64 * 1024 * 1024

const unchanged: JobChange = { set: {}, notices: [] }

/** A queued job that an owner takes. */
export function begin(
  row: Pick<JobRow, 'id' | 'attempts' | 'event_count'>,
  owner: string,
  leaseMs: number,
  now: Moment
): JobChange {
  const first = row.attempts === 0
  return {
    set: {
      state: 'running',
      owner,
      attempts: row.attempts + 1,
      lease_until_ms: now.leaseMs + leaseMs,
      ...(first ? { started_at_ms: now.ms, event_count: row.event_count + 1 } : {})
    },
    ...(first ? { entries: entry('started') } : {}),
    notices: [{ type: 'changed', jobId: row.id }]
  }
}

export function append(row: JobRow, claim: JobClaim, after: number, entries: LogEntries, now: Moment): JobChange {
  checkClaim(row, claim, now)
  if (row.event_count !== after) {
    throw leaseLost(claim.jobId, `its log has ${row.event_count} entries, not ${after}`)
  }
  if (entries.count === 0) return unchanged
  const usedBytes = row.used_bytes + bytesOf(entries.text)
  if (usedBytes > JOB_BYTES_MAX) throw logTooLong(row.id)
  return {
    set: {
      event_count: row.event_count + entries.count,
      used_bytes: usedBytes,
      // it exceeds its reservation
      ...(usedBytes > row.bytes ? { bytes: usedBytes + RESERVED_MORE_BYTES } : {})
    },
    entries,
    notices: [{ type: 'changed', jobId: row.id }]
  }
}

export function finish(
  row: JobRow,
  claim: JobClaim,
  outcome: EncodedOutcome,
  now: Moment,
  limits: JobLimits
): JobChange {
  checkClaim(row, claim, now)
  if (outcome.state === 'queued') {
    const counted = { ...row, nodes_lost: outcome.nodesLost ?? row.nodes_lost }
    return giveBack(counted, outcome.interrupted ? 'coordinator' : 'failure', now, limits)
  }
  return end(row, outcome.state, now, 'content' in outcome ? outcome.content : {})
}

/** A running job whose coordinator is gone. */
export function interrupt(row: JobRow, now: Moment, limits: JobLimits): JobChange {
  return giveBack(row, 'crash', now, limits)
}

/** A request for the job's end. */
export function cancel(row: JobRow, now: Moment): JobChange {
  if (row.state === 'queued') return end(row, 'cancelled', now)
  if (isFinal(row.state)) return unchanged
  return { set: { cancel_requested: 1 }, notices: [{ type: 'cancel_requested', jobId: row.id }] }
}

/** A queued job whose deadline has passed. */
export function expire(row: JobRow, now: Moment): JobChange {
  return end(row, 'expired', now)
}

export function renew(row: JobRow, claim: JobClaim, leaseMs: number, now: Moment): JobChange {
  checkClaim(row, claim, now)
  return { set: { lease_until_ms: now.leaseMs + leaseMs }, notices: [] }
}

export function leaseLost(jobId: string, why: string): MeshError {
  return new MeshError('job_lease_lost', `job ${jobId} is not this coordinator's any more: ${why}`, {
    hint: 'drop the work; whoever holds the job goes on with it',
    details: { jobId }
  })
}

function logTooLong(jobId: string): MeshError {
  return new MeshError('storage_quota_exceeded', `the log of ${jobId} would have more than ${JOB_BYTES_MAX} bytes`, {
    hint: 'ask for a shorter answer, for fewer choices, or for less about each token',
    details: { jobId, bytesMax: JOB_BYTES_MAX }
  })
}

function checkClaim(row: JobRow, claim: JobClaim, now: Moment): void {
  if (row.state !== 'running') throw leaseLost(claim.jobId, `it is ${row.state}`)
  if (row.owner !== claim.owner) throw leaseLost(claim.jobId, 'another has it')
  if (row.attempts !== claim.attempt) throw leaseLost(claim.jobId, `attempt ${row.attempts} has begun`)
  if (row.lease_until_ms <= now.leaseMs) throw leaseLost(claim.jobId, 'the lease has run out')
}

/** Why an attempt did not bring the job to its end: it failed; its coordinator gave it back; or ended with it. */
type Cause = 'failure' | 'coordinator' | 'crash'

function giveBack(row: JobRow, cause: Cause, now: Moment, limits: JobLimits): JobChange {
  const interruptions = row.interruptions + (cause === 'failure' ? 0 : 1)
  const handedBack = row.handed_back + (cause === 'coordinator' ? 1 : 0)
  const crashes = interruptions - handedBack
  const counted: JobRow = { ...row, interruptions, handed_back: handedBack }
  if (row.cancel_requested === 1) return end(counted, 'cancelled', now)
  const crashesMax = limits.interruptionsMaxOf?.[row.endpoint] ?? limits.interruptionsMax
  if (cause === 'crash' && crashes >= crashesMax) {
    return fail(counted, now, {
      code: 'interrupted_too_often',
      message: `the request was begun ${row.attempts} times, and ${crashes} times its coordinator ended meanwhile`
    })
  }
  if (cause === 'failure' && row.attempts - interruptions >= row.attempts_max) {
    return fail(counted, now, {
      code: 'attempts_exhausted',
      message: `the request failed ${row.attempts - interruptions} times, with errors that another attempt might have cured`
    })
  }
  return {
    set: {
      state: 'queued',
      owner: null,
      lease_until_ms: 0,
      interruptions,
      handed_back: handedBack,
      nodes_lost: row.nodes_lost
    },
    notices: [
      { type: 'queued', lane: row.lane },
      { type: 'changed', jobId: row.id }
    ]
  }
}

function fail(row: JobRow, now: Moment, { code, message }: Pick<JobError, 'code' | 'message'>): JobChange {
  const error: JobError = { code, message, param: null }
  return end(row, 'failed', now, { error: encodeJson(error) })
}

function end(row: JobRow, state: JobState, now: Moment, content?: Partial<JobContent>): JobChange {
  const usedBytes = row.used_bytes + bytesOf(content?.result, content?.error)
  return {
    set: {
      state,
      owner: null,
      lease_until_ms: 0,
      interruptions: row.interruptions,
      handed_back: row.handed_back,
      nodes_lost: row.nodes_lost,
      ended_at_ms: now.ms,
      event_count: row.event_count + 1,
      bytes: usedBytes,
      used_bytes: usedBytes
    },
    entries: entry(state),
    ...(content === undefined ? {} : { content }),
    notices: [{ type: 'changed', jobId: row.id }]
  }
}

/** Entries of the store itself. They have no data; the job has the rest. */
export function entry(...types: readonly string[]): LogEntries {
  return { text: encodeJson(types.map(type => [type, null])), count: types.length }
}
