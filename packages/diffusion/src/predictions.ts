import type { DiffusionSchedule } from '@resultity/interface'
import type { CleanWeights } from './step-weights.ts'

type Prediction = DiffusionSchedule['prediction']

const GIVEN: CleanWeights = { cleanOfLatents: 0, cleanOfPrediction: 1 }

/**
 * The picture of latents that are `√level · picture + √(1 - level) · noise`, where the denoiser predicts the noise, the picture,
 * or the velocity between them (Salimans and Ho, arXiv:2202.00512).
 */
export function cleanAtLevel(prediction: Prediction, level: number): CleanWeights {
  const signal = Math.sqrt(level)
  const noise = Math.sqrt(1 - level)
  switch (prediction) {
    case 'epsilon':
      return { cleanOfLatents: 1 / signal, cleanOfPrediction: -noise / signal }
    case 'v_prediction':
      return { cleanOfLatents: signal, cleanOfPrediction: -noise }
    case 'sample':
      return GIVEN
  }
}

/** The picture of latents that are `picture + sigma · noise`. */
export function cleanAtSigma(prediction: Prediction, sigma: number): CleanWeights {
  const power = sigma * sigma + 1
  switch (prediction) {
    case 'epsilon':
      return { cleanOfLatents: 1, cleanOfPrediction: -sigma }
    case 'v_prediction':
      return { cleanOfLatents: 1 / power, cleanOfPrediction: -sigma / Math.sqrt(power) }
    case 'sample':
      return GIVEN
  }
}

/** The same in EDM's terms: Karras et al., arXiv:2206.00364, table 1. Playground v2.5 calls it epsilon. */
export function cleanOfEdm(prediction: Prediction, sigma: number, sigmaData: number): CleanWeights {
  const power = sigma * sigma + sigmaData * sigmaData
  const out = (sigma * sigmaData) / Math.sqrt(power)
  if (prediction === 'sample') return GIVEN
  return {
    cleanOfLatents: (sigmaData * sigmaData) / power,
    cleanOfPrediction: prediction === 'epsilon' ? out : -out
  }
}
