import { MeshError } from '@resultity/interface'

/** The natural logarithm of the sum of all `exp(logit)`. @throws MeshError `engine_failed` where none is a number */
export function logSumExp(logits: Float32Array): number {
  let highest = Number.NEGATIVE_INFINITY
  for (const logit of logits) if (logit > highest) highest = logit
  if (!Number.isFinite(highest)) throw new MeshError('engine_failed', 'the decoder gave no token that may come next')
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - highest)
  return highest + Math.log(sum)
}

/** The likeliest token, the first of several. */
export function likeliest(logits: Float32Array): number {
  let best = 0
  for (let token = 1; token < logits.length; token++) if ((logits[token] ?? 0) > (logits[best] ?? 0)) best = token
  return best
}

/**
 * A token drawn from `softmax(logits / temperature)`.
 *
 * @param chance from 0 up to 1
 * @param temperature above 0
 */
export function drawn(logits: Float32Array, temperature: number, chance: number): number {
  const best = logits[likeliest(logits)] ?? 0
  const weight = (logit: number): number => Math.exp((logit - best) / temperature)
  let total = 0
  for (const logit of logits) total += weight(logit)
  let left = chance * total
  let last = 0
  for (const [token, logit] of logits.entries()) {
    const share = weight(logit)
    if (share === 0) continue
    if (left < share) return token
    left -= share
    last = token
  }
  // rounding left a little over
  return last
}
