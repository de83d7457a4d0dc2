import { GROUP_LANES } from '@resultity/store'
import type { PreparedJob } from './job-kind.ts'

/** A token's text in a result, and its entry in a log: a little more than they take for common tokens. */
const RESULT_TOKEN_BYTES = 8
const LOG_TOKEN_BYTES = 128

/** Bytes of one alternative of a token. */
const ALTERNATIVE_BYTES = 100

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
 */
export function expectedBytes(prepared: PreparedJob, logged: boolean): number {
  const { tokens, request, resultBytes } = prepared
  const alternatives = alternativesOf(request) * ALTERNATIVE_BYTES
  const result = resultBytes ?? tokens.answerMax * (RESULT_TOKEN_BYTES + alternatives)
  return result + (logged ? tokens.answerMax * (LOG_TOKEN_BYTES + alternatives) : 0)
}

/** Places that a job may take at once; none where it only waits for others. */
export function placesOf({ lane, places = 1 }: Pick<PreparedJob, 'lane' | 'places'>): number {
  return GROUP_LANES.includes(lane) ? 0 : places
}
