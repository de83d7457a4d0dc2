import { type ErrorCode, invalidRequest, isErrorCode, MeshError } from '@resultity/interface'
import type { Job, JobError, JobState } from '@resultity/store'

/** The body of every error answer: all four keys, as the OpenAI schema requires. */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string | null
  }
}

export interface ErrorReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ErrorBody
}

type ErrorType = 'invalid_request_error' | 'rate_limit_error' | 'server_error'

/**
 * HTTP status and OpenAI error type of each code. Clients retry 408, 409, 429 and 5xx by themselves, so those are
 * for what may succeed when it is sent again.
 */
const replies: Readonly<Record<ErrorCode, readonly [status: number, type: ErrorType]>> = {
  address_in_use: [500, 'server_error'],
  blob_not_found: [503, 'server_error'],
  // nobody reads it; the number that proxies log for a client that hung up
  canceled: [499, 'invalid_request_error'],
  context_length_exceeded: [400, 'invalid_request_error'],
  data_directory_locked: [500, 'server_error'],
  database_version: [500, 'server_error'],
  deadline_exceeded: [504, 'server_error'],
  engine_failed: [500, 'server_error'],
  frame_too_large: [500, 'server_error'],
  hash_mismatch: [500, 'server_error'],
  idempotency_conflict: [422, 'invalid_request_error'],
  insufficient_memory: [503, 'server_error'],
  interrupted_too_often: [500, 'server_error'],
  internal: [500, 'server_error'],
  invalid_request: [400, 'invalid_request_error'],
  job_lease_lost: [503, 'server_error'],
  layers_missing: [503, 'server_error'],
  model_invalid: [500, 'server_error'],
  model_not_found: [404, 'invalid_request_error'],
  model_unavailable: [503, 'server_error'],
  node_lost: [503, 'server_error'],
  // not one that clients try again by themselves
  nodes_lost_too_often: [422, 'invalid_request_error'],
  not_implemented: [501, 'server_error'],
  not_found: [404, 'invalid_request_error'],
  peer_refused: [503, 'server_error'],
  peer_unreachable: [503, 'server_error'],
  permission_denied: [403, 'invalid_request_error'],
  protocol_version: [502, 'server_error'],
  protocol_violation: [502, 'server_error'],
  rate_limited: [429, 'rate_limit_error'],
  replay_diverged: [500, 'server_error'],
  resource_exhausted: [503, 'server_error'],
  session_forbidden: [502, 'server_error'],
  session_unknown: [502, 'server_error'],
  settings_invalid: [500, 'server_error'],
  storage_low: [507, 'server_error'],
  storage_quota_exceeded: [429, 'rate_limit_error'],
  unauthenticated: [401, 'invalid_request_error'],
  unavailable: [503, 'server_error']
}

/** Seconds after which a client may try again, where that differs from the usual one: placing takes a while. */
const retryAfterSeconds: Partial<Record<ErrorCode, number>> = { layers_missing: 5, storage_low: 30, unavailable: 2 }

/** What the API's clients get for `error`; causes and stacks stay in the log. */
export function errorReply(error: MeshError): ErrorReply {
  const { status, code, headers } = overridesOf(error)
  const [usualStatus, type] = replies[error.code]
  const finalStatus = status ?? usualStatus
  return {
    status: finalStatus,
    headers: { ...retryHeaders(finalStatus, error.code), ...headers },
    body: {
      error: {
        message: sentence(error),
        type: finalStatus === 429 ? 'rate_limit_error' : type,
        param: paramOf(error),
        code: code ?? error.code
      }
    }
  }
}

/** The body of an error that comes when the answer has begun: only the event is left to say it. */
export function errorEvent(error: MeshError): ErrorBody {
  return errorReply(error).body
}

/** What a job keeps of an error: all that its client is told. */
export function toJobError(error: MeshError): JobError {
  const { status, body } = errorReply(error)
  return { status, ...body.error, code: body.error.code ?? error.code }
}

/** The answer that a failed, cancelled or expired job stands for; undefined for one that succeeded or has not ended. */
export function jobErrorReply(job: Job): ErrorReply | undefined {
  const error = job.state === 'failed' ? job.error : endedWithout[job.state]
  if (error === undefined || error === null) return undefined
  const { status, ...rest } = error
  return { status, headers: retryHeaders(status, rest.code), body: { error: rest } }
}

/** Neither is retried by clients as they are; asking for the same job again would not help. */
const endedWithout: Partial<Record<JobState, JobError>> = {
  cancelled: {
    status: 410,
    type: 'invalid_request_error',
    code: 'request_cancelled',
    message: 'The request was cancelled before it had an answer. Send it again if you need one.',
    param: null
  },
  expired: {
    status: 503,
    type: 'server_error',
    code: 'resource_exhausted',
    message: 'no slot came free in time: all are busy. Try again later, or add nodes.',
    param: null
  }
}

/** An error whose HTTP status, code or headers are not the usual ones of its mesh code. */
export function httpError(
  error: MeshError,
  status: number,
  code?: string,
  headers: Readonly<Record<string, string>> = {}
): MeshError {
  return new MeshError(error.code, error.message, {
    hint: error.hint,
    details: {
      ...error.details,
      httpStatus: status,
      httpHeaders: headers,
      ...(code === undefined ? {} : { httpCode: code })
    },
    cause: error.cause
  })
}

/** A body of more bytes than are taken, as sent or as inflated. */
export function bodyTooLarge(): MeshError {
  return httpError(invalidRequest(null, 'the body is too large', 'Send a shorter request.'), 413, 'request_too_large')
}

function overridesOf({ details }: MeshError) {
  const { reason, httpStatus, httpCode = reason, httpHeaders } = details
  return {
    status: typeof httpStatus === 'number' ? httpStatus : undefined,
    code: typeof httpCode === 'string' ? httpCode : undefined,
    headers: isHeaders(httpHeaders) ? httpHeaders : {}
  }
}

function isHeaders(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === 'object' && value !== null
}

function paramOf({ details }: MeshError): string | null {
  return typeof details.param === 'string' ? details.param : null
}

/** What happened, then what to do: "x is wrong. Do y." */
function sentence({ message, hint }: MeshError): string {
  if (hint === undefined) return message
  const what = /[.!?]$/.test(message) ? message : `${message}.`
  return `${what} ${hint.charAt(0).toUpperCase()}${hint.slice(1)}`
}

/** When a client may try again after this status and code. */
export function retryHeaders(status: number, code: string): Record<string, string> {
  // clients take any 5xx for a passing trouble, and so 429; there is room once something was deleted
  if (status === 501 || code === 'storage_quota_exceeded') return { 'x-should-retry': 'false' }
  if (status !== 429 && status !== 503 && status !== 507) return {}
  const seconds = isErrorCode(code) ? (retryAfterSeconds[code] ?? 1) : 1
  return { 'retry-after': String(seconds), 'retry-after-ms': String(seconds * 1000) }
}
