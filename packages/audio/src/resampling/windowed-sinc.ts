/** The window's shape: what aliases is 80 dB down (Kaiser 1974: 0.1102 (A - 8.7)). */
const BETA = 7.857

/** sin(πx) / πx. */
export function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)
}

/** Kaiser's window, not scaled: whoever uses it makes its weights one together. @param x from -1 to 1, beyond it is 0 */
export function kaiser(x: number): number {
  return Math.abs(x) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - x * x))
}

/** The modified Bessel function of order zero, by its series. */
function bessel(x: number): number {
  let term = 1
  let sum = 1
  for (let index = 1; term > sum * 1e-12; index++) {
    term *= (x / (2 * index)) ** 2
    sum += term
  }
  return sum
}

/** Of two rates, by which both are divided. */
export function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b)
}
