import type { RopeScaling } from '@resultity/interface'

/** A rotary embedding and where it is used. */
export interface RopeUse {
  readonly theta: number
  readonly scaling: RopeScaling
  /** Dimensions of a head that are rotated. */
  readonly rotaryDim: number
  /** Longest context in positions; longrope has other factors where it is over the original length. */
  readonly contextLength: number
}

/**
 * By how much each of the `rotaryDim / 2` rotary frequencies is divided, as transformers' `modeling_rope_utils.py` does.
 * longrope's factors are chosen by the context that is served, not by the length of a prompt: what is in a cache was
 * rotated already.
 */
export function ropeFrequencyDivisors({ theta, scaling, rotaryDim, contextLength }: RopeUse): Float64Array {
  const plain = new Float64Array(rotaryDim / 2).fill(1)
  switch (scaling.type) {
    case 'none':
      return plain
    case 'linear':
      return plain.fill(scaling.factor)
    case 'llama3':
      return plain.map((_, index) => llama3Divisor(scaling, wavelength(theta, index, rotaryDim)))
    case 'yarn':
      return yarnDivisors(scaling, theta, rotaryDim)
    case 'longrope':
      return Float64Array.from(contextLength > scaling.originalContextLength ? scaling.long : scaling.short)
  }
}

/** What cosines and sines are multiplied by. */
export function ropeMagnitude(scaling: RopeScaling): number {
  return 'magnitude' in scaling ? scaling.magnitude : 1
}

/** Positions in which a pair of dimensions turns once. */
function wavelength(theta: number, index: number, rotaryDim: number): number {
  return 2 * Math.PI * theta ** ((2 * index) / rotaryDim)
}

function llama3Divisor(scaling: Extract<RopeScaling, { type: 'llama3' }>, length: number): number {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalContextLength } = scaling
  if (length < originalContextLength / highFrequencyFactor) return 1
  if (length > originalContextLength / lowFrequencyFactor) return factor
  const smooth = (originalContextLength / length - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
  return 1 / ((1 - smooth) / factor + smooth)
}

function yarnDivisors(scaling: Extract<RopeScaling, { type: 'yarn' }>, theta: number, rotaryDim: number): Float64Array {
  // no model has a base near 1, with which all pairs turn alike
  const base = Math.log(Math.max(theta, 2))
  // the pair that turns so many times within the original context
  const pairOf = (turns: number): number =>
    (rotaryDim * Math.log(scaling.originalContextLength / (turns * 2 * Math.PI))) / (2 * base)
  const low = Math.max(Math.floor(pairOf(scaling.betaFast)), 0)
  const high = Math.min(Math.ceil(pairOf(scaling.betaSlow)), rotaryDim - 1)
  // as the reference does where both are one
  const width = high === low ? 0.001 : high - low
  return new Float64Array(rotaryDim / 2).map((_, index) => {
    const stretched = Math.min(Math.max((index - low) / width, 0), 1)
    return 1 / (stretched / scaling.factor + 1 - stretched)
  })
}
