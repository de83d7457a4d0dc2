import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { fourierTransform } from '../src/mel/fourier.ts'

t.test('a transform of any size is what its definition says', async t => {
  assertProperty(
    fc.property(
      fc.constantFrom(1, 2, 3, 4, 6, 7, 12, 16, 25, 30, 100),
      fc.infiniteStream(fc.integer()),
      (size, drawn) => {
        const values = [...drawn.take(2 * size)].map(value => (value % 1000) / 1000)
        const real = Float64Array.from(values.slice(0, size))
        const imaginary = Float64Array.from(values.slice(size))
        const outReal = new Float64Array(size)
        const outImaginary = new Float64Array(size)
        fourierTransform(size).run(real, imaginary, outReal, outImaginary)
        for (let out = 0; out < size; out++) {
          let r = 0
          let i = 0
          for (let at = 0; at < size; at++) {
            const angle = (-2 * Math.PI * at * out) / size
            r += (real[at] ?? 0) * Math.cos(angle) - (imaginary[at] ?? 0) * Math.sin(angle)
            i += (real[at] ?? 0) * Math.sin(angle) + (imaginary[at] ?? 0) * Math.cos(angle)
          }
          if (Math.abs(r - (outReal[out] ?? 0)) > 1e-9 || Math.abs(i - (outImaginary[out] ?? 0)) > 1e-9) return false
        }
        return true
      }
    )
  )
  t.pass('for every sample')
})
