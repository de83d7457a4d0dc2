import { ropeFrequencyDivisors, ropeMagnitude } from '@resultity/families'
import type { ModelConfig, Rope } from '@resultity/interface'

/** Which rotary embedding a table is of: the model's, or the one that some of its layers have. */
export type RopeName = 'model' | 'local'

/** Cosines and sines of every position, `[positions, rotaryDim / 2]` each, row-major. */
export interface RotaryTables {
  readonly cos: Float32Array
  readonly sin: Float32Array
}

/** Dimensions of a head that are rotated. */
export function rotaryDim({ headDim, traits }: ModelConfig): number {
  return traits?.rotaryDim ?? headDim
}

/**
 * The rotary tables (Su et al., arXiv:2104.09864) of positions `[0, positions)`: the angle of pair i at a position is
 * `position · theta^(-2i / rotaryDim)`, divided as the scaling says. Computed in f64 and rounded once.
 */
export function rotaryTables(config: ModelConfig, positions: number, name: RopeName = 'model'): RotaryTables {
  const { theta, scaling } = ropeOf(config, name)
  const dimensions = rotaryDim(config)
  const divisors = ropeFrequencyDivisors({ theta, scaling, rotaryDim: dimensions, contextLength: positions })
  const frequencies = divisors.map((divisor, i) => theta ** ((-2 * i) / dimensions) / divisor)
  const magnitude = ropeMagnitude(scaling)
  const width = frequencies.length
  const cos = new Float32Array(positions * width)
  const sin = new Float32Array(positions * width)
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < width; i++) {
      const angle = position * (frequencies[i] ?? 0)
      cos[position * width + i] = magnitude * Math.cos(angle)
      sin[position * width + i] = magnitude * Math.sin(angle)
    }
  }
  return { cos, sin }
}

function ropeOf({ ropeTheta, ropeScaling, traits }: ModelConfig, name: RopeName): Rope {
  const model = { theta: ropeTheta, scaling: ropeScaling }
  return name === 'local' ? (traits?.localRope ?? model) : model
}
