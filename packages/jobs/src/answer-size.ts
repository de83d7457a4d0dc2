import { GROUP_LANES } from '@resultity/store'
import type { PreparedJob } from './job-kind.ts'

/** A token's text in a result, and its entry in a log: a little more than they take for common tokens. */
const RESULT_TOKEN_BYTES = 8
const LOG_TOKEN_BYTES = 128

/** A token's id, kept for a further attempt: in an entry with others, and in one of its own ahead of what it says. */
const KEPT_TOKEN_BYTES = 8
const KEPT_ENTRY_BYTES = 64

/** Bytes of one alternative of a token, and of one that is kept. */
const ALTERNATIVE_BYTES = 100
const KEPT_ALTERNATIVE_BYTES = 40

/** Alternatives that a request asks for with each token, by OpenAI's fields. */
function alternativesOf(request: PreparedJob['request']): number {
  if (request === null || typeof request !== 'object' || !('logprobs' in request)) return 0
  const { logprobs, top_logprobs: top } = request as { readonly logprobs?: unknown; readonly top_logprobs?: unknown }
  if (typeof logprobs === 'number') return logprobs + 1
  return logprobs === true ? (typeof top === 'number' ? top : 0) + 1 : 0
}

/**
 * Bytes that the log and the result of a job are likely to take at most: reserved in its namespace until it ends. Pure.
 *
 * @param logged whether its answer is logged as it comes
 * @param kept whether it is kept for a further attempt
 */
export function expectedBytes(prepared: PreparedJob, logged: boolean, kept = false): number {
  const { tokens, request, resultBytes } = prepared
  const count = alternativesOf(request)
  const alternatives = count * ALTERNATIVE_BYTES
  const result = resultBytes ?? tokens.answerMax * (RESULT_TOKEN_BYTES + alternatives)
  const log = logged ? LOG_TOKEN_BYTES + alternatives : 0
  const progress = kept ? (logged ? KEPT_ENTRY_BYTES : KEPT_TOKEN_BYTES) + count * KEPT_ALTERNATIVE_BYTES : 0
  return result + tokens.answerMax * (log + progress)
}

/** Places that a job may take at once; none where it only waits for others. */
export function placesOf({ lane, places = 1 }: Pick<PreparedJob, 'lane' | 'places'>): number {
  return GROUP_LANES.includes(lane) ? 0 : places
}
