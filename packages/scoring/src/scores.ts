import type { Classifier } from '@resultity/interface'
import type { ScorePlan } from './score-plan.ts'

/** A number for each pair: the more, the better they go together. */
export function pairScores(plan: ScorePlan, vectors: Float32Array, width: number): number[] {
  const rowOf = (index: number): Float32Array => vectors.subarray(index * width, (index + 1) * width)
  const { model } = plan
  if (model.kind === 'encoder') return plan.pairs.map(([first, second]) => cosine(rowOf(first), rowOf(second)))
  return plan.pairs.map(([index]) => labelScores(rowOf(index), model.classifier)[0] ?? 0)
}

/** A number for each label, of what the head gave of a text. */
export function labelScores(numbers: Float32Array, { activation }: Pick<Classifier, 'activation'>): number[] {
  const values = Array.from(numbers)
  if (activation === 'none') return values
  if (activation === 'sigmoid') return values.map(value => 1 / (1 + Math.exp(-value)))
  // from the largest down, so that none overflows
  const largest = Math.max(...values)
  const powers = values.map(value => Math.exp(value - largest))
  const sum = powers.reduce((total, power) => total + power, 0)
  return powers.map(power => power / sum)
}

function cosine(a: Float32Array, b: Float32Array): number {
  let product = 0
  let ofA = 0
  let ofB = 0
  for (let index = 0; index < a.length; index++) {
    const left = a[index] ?? 0
    const right = b[index] ?? 0
    product += left * right
    ofA += left * left
    ofB += right * right
  }
  const lengths = Math.sqrt(ofA) * Math.sqrt(ofB)
  return lengths === 0 ? 0 : product / lengths
}
