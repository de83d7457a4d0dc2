/**
 * Every code that an error of the mesh can carry, on the wire, in HTTP bodies and in logs. Codes are stable:
 * clients match on them, so one is added, never renamed.
 */
export const errorCodes = [
  'address_in_use', // a port to listen on is taken by another process
  'blob_not_found', // no source has the weights with this hash
  'canceled', // the caller went away; nobody waits for the answer
  'context_length_exceeded', // prompt and answer do not fit the model's context
  'data_directory_locked', // another daemon runs on this data directory
  'database_version', // a newer version of this program wrote the database
  'deadline_exceeded', // a named deadline passed; the work may still be running
  'engine_failed', // the inference runtime refused or broke off
  'frame_too_large', // a frame is over the limit; the stream is closed
  'hash_mismatch', // bytes do not have the hash they were asked by
  'idempotency_conflict', // an Idempotency-Key came again with another body
  'insufficient_memory', // the weights and caches do not fit what the node offers
  'interrupted_too_often', // a job whose coordinators ended again and again; it may be what ends them
  'internal', // a bug of ours; the log has the cause
  'invite_expired', // an invite to join that holds no more
  'invite_foreign', // an invite of another network, or that its coordinator did not sign
  'invite_invalid', // a text that is no invite, or one that was damaged or changed
  'invite_revoked', // an invite that was taken back, or is not known any more
  'invite_used_up', // an invite that as many nodes have used as may
  'invalid_request', // input breaks its schema; `details.param` names the field
  'job_lease_lost', // this coordinator no longer holds the job; another may
  'layers_missing', // no live node serves some layer range, and none can be given it
  'model_gated', // a repository asks for its licence to be accepted, or for a token
  'model_invalid', // a model file is truncated, corrupt or of an unsupported kind
  'model_not_found', // no such model reference, or this coordinator does not serve it
  'model_unavailable', // none of the model's sources answered
  'node_draining', // a node is about to leave and takes nothing new; another may serve
  'node_lost', // a node of the route died or became unreachable
  'nodes_lost_too_often', // a job whose nodes were lost again and again; it may be what ends them
  'not_implemented', // known, and not configured or not served here
  'not_found', // no such resource or route
  'peer_refused', // the connection gater or the coordinator refuses this peer
  'peer_unreachable', // the peer could not be dialled
  'permission_denied', // the key is valid and may not do this
  'protocol_version', // the peer speaks another version of the protocol
  'protocol_violation', // a frame out of order, malformed, or not allowed in this state
  'rate_limited', // this key has used up what it may for now
  'replay_diverged', // an interrupted answer could not be reproduced, so it was not continued
  'resource_exhausted', // a limit was reached; trying later may work
  'session_fenced', // a later attempt at the same request has the stage
  'session_forbidden', // the sender has no part in this session
  'session_unknown', // no such session on this stage, or its lease ended
  'settings_invalid', // a flag, variable or configuration entry is wrong
  'source_changed', // a file that a model is made from is another than its manifest says
  'storage_low', // the disk is nearly full: nothing new is stored
  'storage_quota_exceeded', // this namespace has stored as much as it may
  'unauthenticated', // no key, or one that is unknown, expired or revoked
  'unavailable', // the part is starting, stopping or gone; another may serve
  'upstream_failed' // a server that a node passes requests on to failed, or answered with what is no answer
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** Codes after which the same request may succeed elsewhere or later. */
const retryable: ReadonlySet<ErrorCode> = new Set([
  'layers_missing',
  'model_unavailable',
  'node_draining',
  'node_lost',
  'peer_unreachable',
  'rate_limited',
  'resource_exhausted',
  'storage_low',
  'unavailable',
  'upstream_failed'
])

export interface MeshErrorOptions {
  /** What the reader should do next, as a sentence. */
  readonly hint?: string | undefined
  /** Facts for programs: the field named (`param`), ids, limits; a `reason` that clients get in place of the code. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** A failure as the client sees it: stored with a job, shown by the API. */
export interface ClientError {
  /** The error's code, or the reason that clients get in its place. */
  readonly code: string
  /** What happened, and what to do next. */
  readonly message: string
  /** The field that is wrong, if one is. */
  readonly param: string | null
}

/**
 * The one error class that crosses a package, process or network boundary.
 *
 * `message` says what happened and to what; `hint` what to do next; `code` is what programs match on.
 */
export class MeshError extends Error {
  override readonly name = 'MeshError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: MeshErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.details = options.details ?? {}
  }

  /** Whether the same request may succeed on another route or later. */
  get retryable(): boolean {
    return retryable.has(this.code)
  }

  /** What clients match on: `details.reason` where there is one, else the code. */
  get clientCode(): string {
    const { reason } = this.details
    return typeof reason === 'string' ? reason : this.code
  }

  /** Without causes, stacks and details, which stay in the log. */
  forClient(): ClientError {
    const { param } = this.details
    return { code: this.clientCode, message: sentence(this), param: typeof param === 'string' ? param : null }
  }

  /** `error` itself when it is a MeshError, else one with `code` (default `internal`) and `error` as its cause. */
  static from(error: unknown, code: ErrorCode = 'internal'): MeshError {
    if (error instanceof MeshError) return error
    if (error instanceof Error && error.name === 'AbortError') {
      return new MeshError('canceled', 'the operation was canceled', { cause: error })
    }
    return new MeshError(code, error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** What happened, then what to do: "x is wrong. Do y." */
function sentence({ message, hint }: MeshError): string {
  if (hint === undefined) return message
  const what = /[.!?]$/.test(message) ? message : `${message}.`
  return `${what} ${hint.charAt(0).toUpperCase()}${hint.slice(1)}`
}

/** True for a code this version knows; peers of another version may send others. */
export function isErrorCode(value: string): value is ErrorCode {
  return (errorCodes as readonly string[]).includes(value)
}
