import type { ModelConfig } from '@resultity/interface'

/**
 * By how much each of the `headDim / 2` rotary frequencies is divided.
 * For `llama3`: `_compute_llama3_parameters` of transformers' `modeling_rope_utils.py`.
 */
export function ropeFrequencyDivisors(
  config: Pick<ModelConfig, 'headDim' | 'ropeTheta' | 'ropeScaling'>
): Float64Array {
  const scaling = config.ropeScaling
  const divisors = new Float64Array(config.headDim / 2).fill(1)
  if (scaling.type === 'linear') return divisors.fill(scaling.factor)
  if (scaling.type === 'none') return divisors
  const longest = scaling.originalContextLength / scaling.lowFrequencyFactor
  const shortest = scaling.originalContextLength / scaling.highFrequencyFactor
  return divisors.map((_, index) => {
    const wavelength = 2 * Math.PI * config.ropeTheta ** ((2 * index) / config.headDim)
    if (wavelength < shortest) return 1
    if (wavelength > longest) return scaling.factor
    const smooth =
      (scaling.originalContextLength / wavelength - scaling.lowFrequencyFactor) /
      (scaling.highFrequencyFactor - scaling.lowFrequencyFactor)
    return 1 / ((1 - smooth) / scaling.factor + smooth)
  })
}
