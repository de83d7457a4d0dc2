import type { ClientError, WorkClass } from '@resultity/interface'

/** A JSON value. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined }

/**
 * - `queued`    stored, waiting for a place
 * - `running`   one coordinator holds a lease on it and works
 * - `succeeded` has a result
 * - `failed`    has an error; no further attempt is made
 * - `cancelled` its client asked for its end before it had one
 * - `expired`   it did not start before its deadline
 *
 * The last four are final: nothing changes in a job after them but its removal.
 */
export const jobStates = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired'] as const
export type JobState = (typeof jobStates)[number]

/** A client waits for `interactive` work; `batch` work takes what that leaves idle. */
export type JobClass = WorkClass

/** What a client files a job under: names and values of its own. */
export type JobMetadata = Readonly<Record<string, string>>

/** A client's request, before it is acknowledged. */
export interface JobSubmission {
  /** `req_` and 32 hexadecimal digits, unique for ever. */
  readonly id: string
  /** Path of the API, such as `/v1/chat/completions`. */
  readonly endpoint: string
  /** Its owner; no other namespace sees it. */
  readonly namespace: string
  /** The key it came with; null where no keys are required. */
  readonly keyId: string | null
  readonly class: JobClass
  /** Names what it needs a place on: jobs of one lane compete for the same slots. */
  readonly lane: string
  /** Checked and complete: running it again gives the same answer, so a seed that the client left out is in it. */
  readonly body: JsonValue
  /** The client's `Idempotency-Key`, and the SHA-256 of the body sent with it. */
  readonly idempotency?: { readonly key: string; readonly bodySha256: string }
  /** The batch or ensemble it belongs to. */
  readonly groupId?: string
  /** Its name in the group. */
  readonly customId?: string
  /** Part of another job, and not listed beside it. */
  readonly hidden?: boolean
  /** Milliseconds from now on; not begun by then, it expires. */
  readonly waitMs: number
  /** How often it may fail with an error that another attempt may cure. */
  readonly attemptsMax: number
  /** How many places it may take at once, as a request for several choices does. Default 1. */
  readonly places?: number
  /** Bytes that its log and result are expected to take: reserved until it ends. Default 0. */
  readonly reservedBytes?: number
  /** Its client does not want it kept: it is removed soon after its end. Default false. */
  readonly unstored?: boolean
  /** What its client filed it under, to find it again. Undefined: it is not to be found so. */
  readonly metadata?: JobMetadata
}

/** Tokens, as the API counts them. */
export interface JobUsage {
  readonly promptTokens: number
  /** Those of them that were not computed anew, but found in a cache. Absent: none. */
  readonly cachedTokens?: number
  readonly completionTokens: number
  /** Those of them that were reasoning. Absent: none. */
  readonly reasoningTokens?: number
}

/** The error that the client gets. Older versions stored more with it. */
export type JobError = ClientError

/** The answer of the endpoint, as HTTP would carry it. */
export interface JobResult {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: JsonValue
  /** Of a body that is a text: the bytes that HTTP carries are in it in base64. Default: the body is carried as JSON. */
  readonly encoding?: 'base64'
}

export interface Job extends Omit<JobSubmission, 'waitMs' | 'reservedBytes' | 'places'> {
  /** Unix milliseconds; not begun by then, it expires. */
  readonly expiresAtMs: number
  readonly state: JobState
  /** Times that it was begun. */
  readonly attempts: number
  /** Attempts that ended because their coordinator ended. */
  readonly interruptions: number
  /** Nodes that were lost with it, over all attempts. */
  readonly nodesLost: number
  readonly cancelRequested: boolean
  readonly eventCount: number
  readonly result: JobResult | null
  readonly error: JobError | null
  readonly usage: JobUsage | null
  /** Unix milliseconds. */
  readonly createdAtMs: number
  /** Start of the first attempt. */
  readonly startedAtMs: number | null
  readonly endedAtMs: number | null
}

/** One entry of a job's log. Numbers count from 1 without a gap. */
export interface JobEvent {
  readonly number: number
  readonly type: string
  readonly data: JsonValue
}
export type NewJobEvent = Omit<JobEvent, 'number'>

/** True once nothing will change any more. */
export function isFinal(state: JobState): boolean {
  return state !== 'queued' && state !== 'running'
}
