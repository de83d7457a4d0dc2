import type { ModelConfig } from '@resultity/interface'
import { ropeFrequencyDivisors } from './rope-frequencies.ts'

/** Cosines and sines of every position, `[positions, headDim / 2]` each, row-major. */
export interface RotaryTables {
  readonly cos: Float32Array
  readonly sin: Float32Array
}

/**
 * The rotary tables (Su et al., arXiv:2104.09864) of positions `[0, positions)`: the angle of pair i at a position is
 * `position · theta^(-2i / headDim)`, divided as the model's scaling says. Computed in f64 and rounded once.
 */
export function rotaryTables(config: ModelConfig, positions: number): RotaryTables {
  const frequencies = ropeFrequencyDivisors(config).map(
    (divisor, i) => config.ropeTheta ** ((-2 * i) / config.headDim) / divisor
  )
  const width = frequencies.length
  const cos = new Float32Array(positions * width)
  const sin = new Float32Array(positions * width)
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < width; i++) {
      const angle = position * (frequencies[i] ?? 0)
      cos[position * width + i] = Math.cos(angle)
      sin[position * width + i] = Math.sin(angle)
    }
  }
  return { cos, sin }
}
