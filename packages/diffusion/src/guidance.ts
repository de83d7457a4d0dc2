/**
 * Classifier-free guidance (Ho and Salimans, arXiv:2207.12598): away from what the denoiser predicts without the prompt, by
 * `scale` times the difference.
 *
 * @param count of the numbers that are predicted; of a denoiser that says behind them how much noise to add, that with the prompt counts
 * @param rescale how far the result gets the deviation of the prediction with the prompt, from 0 to 1: Lin et al.,
 *   arXiv:2305.08891, section 3.4
 */
export function guided(
  without: Float32Array,
  withPrompt: Float32Array,
  { scale, rescale = 0, count = without.length }: Guidance
): Float32Array {
  const all = withPrompt.slice()
  const prediction = all.subarray(0, count)
  for (const [index, value] of without.subarray(0, count).entries()) {
    prediction[index] = value + scale * ((withPrompt[index] ?? Number.NaN) - value)
  }
  if (rescale === 0) return all
  const shrink = deviation(withPrompt.subarray(0, count)) / deviation(prediction)
  for (const [index, value] of prediction.entries()) {
    prediction[index] = rescale * value * shrink + (1 - rescale) * value
  }
  return all
}

export interface Guidance {
  readonly scale: number
  readonly rescale?: number
  readonly count?: number
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
