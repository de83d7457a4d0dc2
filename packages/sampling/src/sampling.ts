import { MeshError, type Sampling } from '@resultity/interface'
import { uniformAt } from './uniform.ts'

/**
 * Picks the token at `position`.
 *
 * Temperature 0 takes the highest logit, the lowest id on a tie. Otherwise the softmax of `logits / temperature` is
 * cut to what `minP`, `topK` and `topP` (the nucleus of Holtzman et al., arXiv:1904.09751) leave, and drawn from with the number that (seed, position) give:
 * the same logits, sampling and position give the same token anywhere.
 *
 * @throws MeshError `engine_failed` when the logits hold NaN or +∞, or nothing but -∞
 */
export function sampleToken(logits: Float32Array, sampling: Sampling, position: number): { token: number } {
  const best = argmax(logits)
  if (sampling.temperature === 0) return { token: best }
  const weights = exponentials(logits, logits[best] ?? 0, sampling.temperature)
  const draw = uniformAt(sampling.seed, position)
  const { topP, topK, minP } = sampling
  // the highest weight is 1
  if (minP !== undefined) for (let i = 0; i < weights.length; i++) if ((weights[i] ?? 0) < minP) weights[i] = 0
  if (topK !== undefined && topK < weights.length) keepHeaviest(weights, topK)
  if (topP >= 1) return { token: drawFromAll(weights, draw) }
  return { token: drawFromRanked(nucleus(weights, topP), weights, draw) }
}

/**
 * Index of the highest value, the lowest index on a tie.
 *
 * @throws MeshError `engine_failed` when a value is NaN or +∞, or none is above -∞
 */
export function argmax(values: Float32Array): number {
  let best = Number.NEGATIVE_INFINITY
  let index = -1
  for (let start = 0; start < values.length; start += BLOCK) {
    if (noneAbove(best, values, start)) continue
    const end = Math.min(start + BLOCK, values.length)
    for (let i = start; i < end; i++) {
      const value = values[i] ?? Number.NaN
      // written so that NaN takes this branch, which only a new maximum takes otherwise
      if (!(value <= best)) {
        if (!(value < Number.POSITIVE_INFINITY)) throw notFinite(i, value)
        best = value
        index = i
      }
    }
  }
  if (index === -1) throw notFinite(0, best)
  return index
}

/** Values that {@link noneAbove} judges at once: less than half the time of one by one. */
const BLOCK = 8

/** Whether none of the block from `start` on is higher than `best`, or no number, or beyond the end. */
function noneAbove(best: number, values: Float32Array, start: number): boolean {
  return (
    (values[start] ?? Number.NaN) <= best &&
    (values[start + 1] ?? Number.NaN) <= best &&
    (values[start + 2] ?? Number.NaN) <= best &&
    (values[start + 3] ?? Number.NaN) <= best &&
    (values[start + 4] ?? Number.NaN) <= best &&
    (values[start + 5] ?? Number.NaN) <= best &&
    (values[start + 6] ?? Number.NaN) <= best &&
    (values[start + 7] ?? Number.NaN) <= best
  )
}

function notFinite(index: number, value: number): MeshError {
  return new MeshError('engine_failed', `the model gave the logit ${value} for token ${index}`, {
    hint: 'the weights are damaged, or overflow on this engine; verify the model and try another node'
  })
}

/** `exp((logit - highest) / temperature)`: softmax before its division. The highest becomes 1. */
function exponentials(logits: Float32Array, highest: number, temperature: number): Float64Array {
  const weights = new Float64Array(logits.length)
  for (let i = 0; i < weights.length; i++) weights[i] = Math.exp(((logits[i] ?? 0) - highest) / temperature)
  return weights
}

function drawFromAll(weights: Float64Array, draw: number): number {
  let total = 0
  for (const weight of weights) total += weight
  let left = draw * total
  let last = 0
  for (let token = 0; token < weights.length; token++) {
    const weight = weights[token] ?? 0
    if (weight === 0) continue
    last = token
    left -= weight
    if (left < 0) return token
  }
  // rounding let the sum of the parts fall short of the whole
  return last
}

function drawFromRanked(tokens: readonly number[], weights: Float64Array, draw: number): number {
  let total = 0
  for (const token of tokens) total += weights[token] ?? 0
  let left = draw * total
  for (const token of tokens) {
    left -= weights[token] ?? 0
    if (left < 0) return token
  }
  return tokens.at(-1) ?? 0
}

/** Halvings of the weight that get a bin of their own; all below share the last. */
const BINS = 64

/**
 * The fewest tokens whose weights reach `topP` of the sum, heaviest first, lower ids first among equals.
 *
 * A histogram over powers of two finds which tokens can be in it, so only these are sorted and not the vocabulary.
 */
function nucleus(weights: Float64Array, topP: number): number[] {
  const bins = new Float64Array(BINS)
  let total = 0
  for (const weight of weights) {
    total += weight
    const bin = binOf(weight)
    bins[bin] = (bins[bin] ?? 0) + weight
  }
  const wanted = topP * total
  let lastBin = 0
  for (let sum = bins[0] ?? 0; sum < wanted && lastBin < BINS - 1; sum += bins[lastBin] ?? 0) lastBin++
  const candidates: number[] = []
  for (let token = 0; token < weights.length; token++) {
    const weight = weights[token] ?? 0
    if (weight > 0 && binOf(weight) <= lastBin) candidates.push(token)
  }
  candidates.sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b)
  let sum = 0
  const end = candidates.findIndex(token => {
    sum += weights[token] ?? 0
    return sum >= wanted
  })
  return end === -1 ? candidates : candidates.slice(0, end + 1)
}

/**
 * Sets all but the `count` heaviest weights to zero, lower ids first among equals. Only tokens of the bins in which the
 * last of them can be are sorted.
 */
function keepHeaviest(weights: Float64Array, count: number): void {
  const bins = new Uint32Array(BINS)
  for (const weight of weights) if (weight > 0) bins[binOf(weight)] = (bins[binOf(weight)] ?? 0) + 1
  let lastBin = 0
  for (let sum = bins[0] ?? 0; sum < count && lastBin < BINS - 1; sum += bins[lastBin] ?? 0) lastBin++
  const candidates: number[] = []
  for (let token = 0; token < weights.length; token++) {
    const weight = weights[token] ?? 0
    if (weight > 0 && binOf(weight) <= lastBin) candidates.push(token)
    else weights[token] = 0
  }
  candidates.sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b)
  for (const token of candidates.slice(count)) weights[token] = 0
}

function binOf(weight: number): number {
  return weight > 0 ? Math.min(BINS - 1, Math.max(0, Math.floor(-Math.log2(weight)))) : BINS - 1
}
