import type { RopeScaling } from '@resultity/interface'
import type { GgufKeys } from './gguf-keys.ts'
import { ropeFrequencyDivisors } from './rope-frequencies.ts'
import { yarnMagnitude } from './rope-magnitude.ts'
import { Unsupported } from './unsupported.ts'

/** Largest relative difference between stored (f32) and computed frequency divisors. */
const DIVISOR_TOLERANCE = 1e-3

const STORED = 'rope_freqs.weight'

interface RopeSize {
  readonly theta: number
  readonly rotaryDim: number
}

/** @throws Unsupported for a way that is not computed here */
export function ropeScalingOfGguf(keys: GgufKeys, size: RopeSize): RopeScaling {
  const stored = keys.head.vector(STORED)
  const named = namedScaling(keys)
  return stored === undefined ? named : storedScaling(stored, size)
}

function namedScaling(keys: GgufKeys): RopeScaling {
  const type = keys.text('rope.scaling.type') ?? 'none'
  switch (type) {
    case 'none':
      return { type }
    case 'linear':
      return { type, factor: keys.required('rope.scaling.factor') }
    case 'yarn': {
      const factor = keys.required('rope.scaling.factor')
      const attention = keys.optional('rope.scaling.attn_factor') ?? 1
      return {
        type,
        factor,
        betaFast: keys.optional('rope.scaling.yarn_beta_fast') ?? 32,
        betaSlow: keys.optional('rope.scaling.yarn_beta_slow') ?? 1,
        originalContextLength: keys.required('rope.scaling.original_context_length'),
        magnitude: attention * yarnMagnitude(factor)
      }
    }
    default:
      throw new Unsupported(`the rotary embedding scaling "${type}"`)
  }
}

/**
 * GGUF stores Llama 3's scaling as its result, one divisor per frequency. The manifest holds the parameters:
 * those of every published Llama 3.1 to 3.3 are tried, with the largest divisor as the factor.
 */
function storedScaling(stored: Float32Array, size: RopeSize): RopeScaling {
  const factor = stored.reduce((largest, value) => Math.max(largest, value), 0)
  const scaling: RopeScaling = {
    type: 'llama3',
    factor,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalContextLength: 8192
  }
  const fits = factor > 0 && stored.length === size.rotaryDim / 2
  const computed = fits ? ropeFrequencyDivisors({ ...size, scaling, contextLength: 0 }) : []
  const same = computed.every((value, index) => Math.abs(value - (stored[index] ?? 0)) <= DIVISOR_TOLERANCE * value)
  if (fits && same) return scaling
  throw new Unsupported(`a rotary embedding scaling ("${STORED}") other than Llama 3's`)
}
