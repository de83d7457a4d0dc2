import { argmax } from './sampling.ts'

export interface TokenLogprob {
  readonly token: number
  /** Natural logarithm of the token's probability in the softmax of the logits, before temperature and top-p. */
  readonly logprob: number
}

export interface Logprobs extends TokenLogprob {
  /** The most probable tokens, best first, lower ids first among equals. */
  readonly top: readonly TokenLogprob[]
}

/** Most alternatives a client may ask for: OpenAI's limit. */
export const TOP_LOGPROBS_MAX = 20

/**
 * The log-probability of `token` and of the `topCount` most probable ones.
 *
 * @throws MeshError `engine_failed` when the logits hold NaN or +∞
 */
export function logprobsOf(logits: Float32Array, token: number, topCount: number): Logprobs {
  const highest = logits[argmax(logits)] ?? 0
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - highest)
  const normalizer = highest + Math.log(sum)
  const logprob = (id: number): TokenLogprob => ({ token: id, logprob: (logits[id] ?? Number.NaN) - normalizer })
  return { ...logprob(token), top: topTokens(logits, Math.min(topCount, TOP_LOGPROBS_MAX)).map(logprob) }
}

/** Ids of the `count` highest logits, by insertion into a short ranking: one comparison for nearly every token. */
function topTokens(logits: Float32Array, count: number): number[] {
  const ranking: number[] = []
  if (count <= 0) return ranking
  let bar = Number.NEGATIVE_INFINITY
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token] ?? 0
    if (ranking.length === count && logit <= bar) continue
    let place = ranking.length
    while (place > 0 && logit > (logits[ranking[place - 1] ?? 0] ?? 0)) place--
    ranking.splice(place, 0, token)
    if (ranking.length > count) ranking.pop()
    bar = logits[ranking.at(-1) ?? 0] ?? 0
  }
  return ranking
}
