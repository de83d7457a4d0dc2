/** One complex Fourier transform of a fixed size; every array is f64. */
export interface FourierTransform {
  readonly size: number
  /** Transforms `real + i * imaginary` into `outReal + i * outImaginary`; the four arrays must differ. */
  run(real: Float64Array, imaginary: Float64Array, outReal: Float64Array, outImaginary: Float64Array): void
}

/**
 * A mixed-radix transform, decimated in time (Cooley and Tukey, 1965): the transforms of each `factor`-th value are made
 * first and joined by `factor` products each. For sizes whose prime factors are small, such as 400 = 2⁴ 5².
 */
export function fourierTransform(size: number): FourierTransform {
  const factors = factorsOf(size)
  const cosines = Float64Array.from({ length: size }, (_, index) => Math.cos((2 * Math.PI * index) / size))
  const sines = Float64Array.from({ length: size }, (_, index) => -Math.sin((2 * Math.PI * index) / size))
  const order = orderOf(factors)
  const sumReal = new Float64Array(Math.max(1, ...factors))
  const sumImaginary = new Float64Array(sumReal.length)

  /** Joins groups of `factor` transforms of `count` values each, which lie one behind the other. */
  const join = (real: Float64Array, imaginary: Float64Array, factor: number, count: number): void => {
    const joined = factor * count
    const step = size / joined
    for (let begin = 0; begin < size; begin += joined) {
      for (let at = 0; at < count; at++) {
        for (let out = 0; out < factor; out++) {
          const turn = (at + out * count) * step
          let sumR = 0
          let sumI = 0
          for (let part = 0, angle = 0, index = begin + at; part < factor; part++, index += count) {
            const r = real[index] ?? 0
            const i = imaginary[index] ?? 0
            const c = cosines[angle] ?? 0
            const s = sines[angle] ?? 0
            sumR += r * c - i * s
            sumI += r * s + i * c
            angle += turn
            if (angle >= size) angle %= size
          }
          sumReal[out] = sumR
          sumImaginary[out] = sumI
        }
        for (let out = 0, index = begin + at; out < factor; out++, index += count) {
          real[index] = sumReal[out] ?? 0
          imaginary[index] = sumImaginary[out] ?? 0
        }
      }
    }
  }

  return {
    size,
    run(real, imaginary, outReal, outImaginary) {
      for (let index = 0; index < size; index++) {
        const from = order[index] ?? 0
        outReal[index] = real[from] ?? 0
        outImaginary[index] = imaginary[from] ?? 0
      }
      let count = 1
      for (const factor of factors) {
        join(outReal, outImaginary, factor, count)
        count *= factor
      }
    }
  }
}

/** Prime factors, with 4 in place of 2 · 2: fewer passes over the values. */
function factorsOf(size: number): number[] {
  const factors: number[] = []
  let rest = size
  for (; rest % 4 === 0; rest /= 4) factors.push(4)
  for (let factor = 2; rest > 1; factor++) {
    for (; rest % factor === 0; rest /= factor) factors.push(factor)
  }
  return factors
}

/** Where each value of the first pass comes from: what is joined last is told apart first. */
function orderOf(factors: readonly number[]): Int32Array {
  const order: number[] = []
  const place = (offset: number, stride: number, joins: number): void => {
    const factor = factors[joins - 1]
    if (factor === undefined) order.push(offset)
    else for (let part = 0; part < factor; part++) place(offset + part * stride, stride * factor, joins - 1)
  }
  place(0, 1, factors.length)
  return Int32Array.from(order)
}
