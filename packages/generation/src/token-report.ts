import { MeshError } from '@resultity/interface'
import type { TokenLogprob } from '@resultity/wire'

/** The report on each token that a route was asked for. */
export interface ReportRules {
  /** Every id is smaller. */
  readonly vocabularySize: number
  /** Alternatives with each probability; undefined: no probabilities at all. */
  readonly topLogprobs: number | undefined
}

/** @throws MeshError `protocol_violation` for an id that the model does not have */
export function checkToken(token: number, { vocabularySize }: ReportRules): void {
  if (Number.isInteger(token) && token >= 0 && token < vocabularySize) return
  throw violation(`token ${token} came, the model's ids end at ${vocabularySize - 1}`)
}

/**
 * Checks reported probabilities: numbers, exactly as many alternatives as requested, each of them once. A token that a
 * constraint rules out has the probability zero, so the logarithm of an alternative may be -∞.
 *
 * @throws MeshError `protocol_violation`
 */
export function checkLogprobs(logprob: number, top: readonly TokenLogprob[], rules: ReportRules): void {
  const { vocabularySize, topLogprobs = 0 } = rules
  if (!Number.isFinite(logprob)) throw violation(`a token came with the log-probability ${logprob}`)
  const wanted = Math.min(topLogprobs, vocabularySize)
  if (top.length !== wanted) throw violation(`${top.length} alternatives came with a token, ${wanted} were asked for`)
  for (const { token, logprob: one } of top) {
    checkToken(token, rules)
    if (!(one < Number.POSITIVE_INFINITY)) throw violation(`alternative ${token} came with the log-probability ${one}`)
  }
  if (new Set(top.map(({ token }) => token)).size < top.length) throw violation('an alternative came twice')
}

export function violation(message: string): MeshError {
  return new MeshError('protocol_violation', message, {
    hint: 'The node is faulty or runs another release; compare the versions on both sides.'
  })
}
