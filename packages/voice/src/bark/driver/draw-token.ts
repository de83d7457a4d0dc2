import type { Chance } from './chance.ts'

/** How one of several is drawn. */
export interface DrawSettings {
  /** 0: the one with the highest logit, of these the first. */
  readonly temperature: number
  /** Of so many that are most likely; 0 for all. */
  readonly topK: number
  /** Of the fewest whose probabilities add up to it. */
  readonly topP: number
}

/** So many are selected one by one, and more by sorting all. */
const SELECTED_MAX = 256

/**
 * Draws one of `logits`.
 *
 * @returns its index
 */
export function drawToken(logits: Float32Array, { temperature, topK, topP }: DrawSettings, chance: Chance): number {
  if (temperature === 0) return indexOfMost(logits)
  if ((topK === 0 || topK >= logits.length) && topP >= 1) return drawOfAll(logits, temperature, chance)
  const kept = mostLikely(logits, topK === 0 ? logits.length : Math.min(topK, logits.length))
  const most = logits[kept[0] ?? 0] ?? 0
  const weights = kept.map(index => Math.exp(((logits[index] ?? 0) - most) / temperature))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let [count, reached] = [0, 0]
  while (count < weights.length && (count === 0 || reached < topP * total)) {
    reached += weights[count] ?? 0
    count += 1
  }
  let left = chance() * reached
  for (let at = 0; at < count; at++) {
    left -= weights[at] ?? 0
    if (left < 0) return kept[at] ?? 0
  }
  return kept[count - 1] ?? 0
}

/** Indices of so many with the highest logits, in their order; of two alike the lower first. */
function mostLikely(logits: Float32Array, count: number): number[] {
  // few of many are found without sorting all, which would take longer than some models think
  if (count > SELECTED_MAX)
    return [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b).slice(0, count)
  const kept: number[] = []
  for (let index = 0; index < logits.length; index++) {
    const logit = logits[index] ?? 0
    if (kept.length === count && !(logit > (logits[kept[count - 1] ?? 0] ?? 0))) continue
    let at = kept.length
    while (at > 0 && logit > (logits[kept[at - 1] ?? 0] ?? 0)) at -= 1
    kept.splice(at, 0, index)
    if (kept.length > count) kept.pop()
  }
  return kept
}

/** Index of the highest, of these the first. */
export function indexOfMost(values: Float32Array): number {
  let best = 0
  for (let at = 1; at < values.length; at++) if ((values[at] ?? 0) > (values[best] ?? 0)) best = at
  return best
}

function drawOfAll(logits: Float32Array, temperature: number, chance: Chance): number {
  const most = logits[indexOfMost(logits)] ?? 0
  const weights = logits.map(logit => Math.exp((logit - most) / temperature))
  let left = chance() * weights.reduce((sum, weight) => sum + weight, 0)
  for (let at = 0; at < weights.length; at++) {
    left -= weights[at] ?? 0
    if (left < 0) return at
  }
  return indexOfMost(logits)
}
