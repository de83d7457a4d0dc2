import { type ClientError, type ErrorCode, isErrorCode, MeshError } from '@resultity/interface'
import type { Job, JobState } from '@resultity/store'
import { type ErrorType, statusOf, typeOf } from './error-status.ts'
import { type RateLimitState, rateLimitHeaders, retryAfterHeaders } from './rate-limit-headers.ts'

/** The body of every error answer: all four keys, as the OpenAI schema requires. */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: ErrorType
    readonly param: string | null
    readonly code: string | null
  }
}

export interface ErrorReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ErrorBody
}

/** Seconds after which a client may try again, where that differs from the usual one: placing takes a while. */
const retryAfterSeconds: Partial<Record<ErrorCode, number>> = { layers_missing: 5, storage_low: 30, unavailable: 2 }

/** An error of HTTP itself, whose status its code does not say. */
export class HttpError extends MeshError {
  readonly status: number

  constructor(error: MeshError, status: number) {
    super(error.code, error.message, error)
    this.status = status
  }
}

/**
 * What the API's clients get for `error`; causes and stacks stay in the log. Of its details they get `param`, `reason`
 * in place of the code, and as headers `retryAfterMs` (null: it is not to be sent again), `rateLimit` and `acceptEncoding`.
 */
export function errorReply(error: MeshError): ErrorReply {
  const status = error instanceof HttpError ? error.status : (statusOf(error.clientCode) ?? statusOf(error.code) ?? 500)
  const reply = replyOf(status, error.forClient())
  return { ...reply, headers: { ...reply.headers, ...headersOf(error) } }
}

/** The body of an error that comes when the answer has begun: only the event is left to say it. */
export function errorEvent(error: MeshError): ErrorBody {
  return errorReply(error).body
}

/** An error answer, of what is kept of an error. */
export function keptErrorReply(error: ClientError): ErrorReply {
  return replyOf(statusOf(error.code) ?? 500, error)
}

/** The answer that a failed, cancelled or expired job stands for; undefined for one that succeeded or has not ended. */
export function jobErrorReply(job: Job): ErrorReply | undefined {
  const error = job.state === 'failed' ? job.error : endedWithout[job.state]
  if (error === undefined || error === null) return undefined
  return keptErrorReply(error)
}

/** Neither is retried by clients as they are; asking for the same job again would not help. */
const endedWithout: Partial<Record<JobState, ClientError>> = {
  cancelled: {
    code: 'request_cancelled',
    message: 'The request was cancelled before it had an answer. Send it again if you need one.',
    param: null
  },
  expired: {
    code: 'resource_exhausted',
    message: 'no slot came free in time: all are busy. Try again later, or add nodes.',
    param: null
  }
}

function replyOf(status: number, { code, message, param }: ClientError): ErrorReply {
  const headers = {
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...retryHeaders(status, code)
  }
  return { status, headers, body: { error: { message, type: typeOf(status), param, code } } }
}

/** A body of more bytes than are taken, as sent or as inflated. */
export function bodyTooLarge(): MeshError {
  return new MeshError('invalid_request', 'the body is too large', {
    hint: 'Send a shorter request.',
    details: { reason: 'request_too_large' }
  })
}

/** What the error itself knows of when to try again. */
function headersOf({ details: { retryAfterMs, rateLimit, acceptEncoding } }: MeshError): Record<string, string> {
  return {
    ...(retryAfterMs === null ? { 'x-should-retry': 'false' } : {}),
    ...(typeof retryAfterMs === 'number' ? retryAfterHeaders(retryAfterMs) : {}),
    ...(isRateLimit(rateLimit) ? rateLimitHeaders(rateLimit) : {}),
    ...(typeof acceptEncoding === 'string' ? { 'accept-encoding': acceptEncoding } : {})
  }
}

function isRateLimit(value: unknown): value is RateLimitState {
  return typeof value === 'object' && value !== null && 'kind' in value
}

/** When a client may try again after this status and code. */
function retryHeaders(status: number, code: string): Record<string, string> {
  // clients take any 5xx for a passing trouble, and so 429; there is room once something was deleted
  if (status === 501 || code === 'storage_quota_exceeded') return { 'x-should-retry': 'false' }
  if (status !== 429 && status !== 503 && status !== 507) return {}
  return retryAfterHeaders(1000 * (isErrorCode(code) ? (retryAfterSeconds[code] ?? 1) : 1))
}
