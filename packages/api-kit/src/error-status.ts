import type { ErrorCode } from '@resultity/interface'

export type ErrorType = 'invalid_request_error' | 'rate_limit_error' | 'server_error'

/** Reasons that clients are given in place of a code, and that HTTP has a status of its own for, or not the code's. */
const reasons = {
  batch_cancelled: 410,
  batch_expired: 410,
  batch_unauthorized: 401,
  content_filter: 400,
  expectation_failed: 417,
  headers_too_large: 431,
  host_not_allowed: 421,
  invalid_api_key: 401,
  method_not_allowed: 405,
  previous_response_not_found: 400,
  request_cancelled: 410,
  request_timeout: 408,
  request_too_large: 413,
  subcloud_not_found: 404,
  unknown_url: 404,
  unsupported_content_encoding: 415
} as const

/**
 * HTTP status of each code. Clients retry 408, 409, 429 and 5xx by themselves, so those are for what may succeed when
 * it is sent again.
 */
const codes: Readonly<Record<ErrorCode, number>> = {
  address_in_use: 500,
  blob_not_found: 503,
  // nobody reads it; the number that proxies log for a client that hung up
  canceled: 499,
  context_length_exceeded: 400,
  data_directory_locked: 500,
  database_version: 500,
  deadline_exceeded: 504,
  engine_failed: 500,
  frame_too_large: 500,
  hash_mismatch: 500,
  idempotency_conflict: 422,
  insufficient_memory: 503,
  interrupted_too_often: 500,
  internal: 500,
  invalid_request: 400,
  // of nodes, which do not ask over HTTP
  invite_expired: 403,
  invite_foreign: 403,
  invite_invalid: 400,
  invite_revoked: 403,
  invite_used_up: 403,
  job_lease_lost: 503,
  layers_missing: 503,
  // what is missing is the operator's, and no request mends it
  model_gated: 500,
  model_invalid: 500,
  model_not_found: 404,
  model_unavailable: 503,
  node_draining: 503,
  node_lost: 503,
  // not one that clients try again by themselves
  nodes_lost_too_often: 422,
  not_implemented: 501,
  not_found: 404,
  peer_refused: 503,
  peer_unreachable: 503,
  permission_denied: 403,
  protocol_version: 502,
  protocol_violation: 502,
  rate_limited: 429,
  replay_diverged: 500,
  resource_exhausted: 503,
  session_fenced: 503,
  session_forbidden: 502,
  session_unknown: 502,
  settings_invalid: 500,
  source_changed: 500,
  storage_low: 507,
  storage_quota_exceeded: 429,
  unauthenticated: 401,
  unavailable: 503,
  upstream_failed: 502
}

const statuses: ReadonlyMap<string, number> = new Map(Object.entries({ ...codes, ...reasons }))

/**
 * The HTTP status that an error's code, or the reason given in its place, stands for. Codes that are not known, as of
 * another version of this software, are the server's fault.
 */
export function statusOf(clientCode: string): number | undefined {
  return statuses.get(clientCode)
}

/** OpenAI's error type for a status. */
export function typeOf(status: number): ErrorType {
  if (status === 429) return 'rate_limit_error'
  return status < 500 ? 'invalid_request_error' : 'server_error'
}
