import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { encodeMinima, minimaLayout } from '../src/quantization/block-minima.ts'
import { blockFormat } from '../src/quantization/encoding.ts'

const q4 = blockFormat('Q4_1')
const q8 = blockFormat('Q5_1')
if (q4 === undefined || q8 === undefined) throw new Error('both formats have blocks')
const formats = { q4, q8 }

t.test('a column of means for each block, and blocks for these', async t => {
  const cases = [
    { format: q4, columns: 576, layout: { meanColumns: 54, digitStarts: [0, 36], blocks: 20, zeroPointBytes: 10 } },
    { format: q4, columns: 1536, layout: { meanColumns: 144, digitStarts: [0, 96], blocks: 53, zeroPointBytes: 27 } },
    { format: q4, columns: 2048, layout: { meanColumns: 128, digitStarts: [0, 64], blocks: 68, zeroPointBytes: 34 } },
    { format: q4, columns: 32, layout: { meanColumns: 33, digitStarts: [0, 32], blocks: 3, zeroPointBytes: 2 } },
    { format: q8, columns: 1536, layout: { meanColumns: 48, digitStarts: [0], blocks: 50, zeroPointBytes: 50 } }
  ]
  for (const { format, columns, layout } of cases) {
    t.same(minimaLayout(format, columns), layout, `${columns} columns of ${format.bits} bits`)
  }
})

t.test('zero point and column together give back the constant, to a 300th of the largest step', async () => {
  const block = fc.record({
    scale: fc.float({ min: Math.fround(0.001), max: 2, noNaN: true }),
    // in steps: what a zero point can take up
    steps: fc.float({ min: Math.fround(-7.4), max: Math.fround(7.4), noNaN: true })
  })
  for (const format of Object.values(formats)) {
    assertProperty(
      fc.property(fc.array(block, { minLength: 1, maxLength: 100 }), blocks => {
        const scales = Float32Array.from(blocks, ({ scale }) => scale)
        const constants = Float32Array.from(blocks, ({ scale, steps }) => scale * steps)
        const encoded = encodeMinima(format, scales, constants)
        const at = (codes: Uint8Array, index: number): number =>
          format.bits === 8 ? (codes[index] ?? 0) : ((codes[index >> 1] ?? 0) >> (4 * (index & 1))) & 15
        const zero = 2 ** (format.bits - 1)
        const layout = minimaLayout(format, blocks.length * format.blockSize)
        const largest = Math.max(...scales)
        return blocks.every((_, index) => {
          let column = 0
          for (let place = index; place < layout.meanColumns; place += blocks.length) {
            const scale = encoded.scales[Math.floor(place / format.blockSize)] ?? 0
            column += scale * (at(encoded.data, place) - zero)
          }
          const found = (scales[index] ?? 0) * (zero - at(encoded.zeroPoints, index)) + column / format.blockSize
          return Math.abs(found - (constants[index] ?? 0)) <= largest / 300
        })
      })
    )
  }
})

t.test('a block whose weights are all its constant', async t => {
  const { zeroPoints, scales, data } = encodeMinima(q4, Float32Array.of(0), Float32Array.of(-0.5))
  t.same([...zeroPoints], [0x88, 0x08])
  const weight = (scales[0] ?? 0) * (((data[0] ?? 0) & 15) - 8)
  t.ok(Math.abs(weight + 16) < 1e-5, 'the mean stands for 32 inputs')
})
