import { naturalLog, seventhPower, seventhRoot } from './exact-math.ts'

/** Sigmas from the greatest to the least, closer together where there is little noise: Karras et al., arXiv:2206.00364, (5). */
export function karrasSigmas(greatest: number, least: number, steps: number): number[] {
  const first = seventhRoot(greatest)
  const last = seventhRoot(least)
  return Array.from({ length: steps }, (_, index) => {
    const way = steps === 1 ? 0 : index / (steps - 1)
    return seventhPower(first + way * (last - first))
  })
}

/**
 * The training step, whole or not, at which there is as much noise as `sigma`: between two by their logarithms.
 *
 * @param sigmas of every training step, the least first
 */
export function timestepOf(sigma: number, sigmas: Float32Array): number {
  const logarithm = naturalLog(sigma)
  const lower = Math.max(
    0,
    Math.min(
      sigmas.findLastIndex(each => each <= sigma),
      sigmas.length - 2
    )
  )
  const low = logOf(sigmas, lower)
  const high = logOf(sigmas, lower + 1)
  const way = Math.min(Math.max((low - logarithm) / (low - high), 0), 1)
  return (1 - way) * lower + way * (lower + 1)
}

/** The reference keeps these logarithms in float32. */
function logOf(sigmas: Float32Array, index: number): number {
  return Math.fround(naturalLog(sigmas[index] ?? Number.NaN))
}

/** The value at a whole or broken index, between its neighbours in proportion; the nearest one outside. */
export function interpolated(values: Float32Array, index: number): number {
  const inside = Math.min(Math.max(index, 0), values.length - 1)
  const lower = Math.floor(inside)
  const low = values[lower] ?? Number.NaN
  const high = values[lower + 1] ?? low
  return low + (inside - lower) * (high - low)
}
