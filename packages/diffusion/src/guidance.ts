/**
 * Classifier-free guidance (Ho and Salimans, arXiv:2207.12598): away from what the denoiser predicts without the prompt, by
 * `scale` times the difference.
 *
 * @param rescale how far the result gets the deviation of the prediction with the prompt, from 0 to 1: Lin et al.,
 *   arXiv:2305.08891, section 3.4
 */
export function guided(without: Float32Array, withPrompt: Float32Array, scale: number, rescale: number): Float32Array {
  const prediction = without.map((value, index) => value + scale * ((withPrompt[index] ?? Number.NaN) - value))
  if (rescale === 0) return prediction
  const shrink = deviation(withPrompt) / deviation(prediction)
  return prediction.map(value => rescale * value * shrink + (1 - rescale) * value)
}

/** Standard deviation of a sample, as torch takes it. */
function deviation(values: Float32Array): number {
  let sum = 0
  for (const value of values) sum += value
  const mean = sum / values.length
  let squares = 0
  for (const value of values) squares += (value - mean) * (value - mean)
  return Math.sqrt(squares / (values.length - 1))
}
