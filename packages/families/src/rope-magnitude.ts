/** By what yarn multiplies cosines and sines (Peng et al., arXiv:2309.00071, section 3.4). */
export function yarnMagnitude(factor: number): number {
  return factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1
}

/** By what longrope multiplies them (Ding et al., arXiv:2402.13753). */
export function longropeMagnitude(contextLength: number, originalContextLength: number): number {
  const factor = contextLength / originalContextLength
  return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalContextLength))
}
