import { createHash } from 'node:crypto'
import t from 'tap'
import { dequantize } from '../src/quantization/encoding.ts'
import { canRound, roundBlocks, roundedTensor } from '../src/quantization/quantize.ts'
import { RandomBits } from '../src/random-bits.ts'

/** About normal: sums of four that are uniform. */
function randomValues(count: number): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(4 * count)
  new RandomBits(5).fill(words)
  return Float32Array.from({ length: count }, (_, at) => {
    const four = [0, 1, 2, 3].map(i => (words[4 * at + i] ?? 0) / 2 ** 32 - 0.5)
    return four.reduce((sum, value) => sum + value, 0) * 0.04
  })
}

function squaredError(values: Float32Array, rounded: Float32Array): number {
  return values.reduce((sum, value, at) => sum + (value - (rounded[at] ?? 0)) ** 2, 0)
}

/** `quantize_row_q4_0_ref` of ggml-quants.c: what is begun with. */
function plainNibbles(values: Float32Array): Float32Array {
  const rounded = new Float32Array(values.length)
  for (let start = 0; start < values.length; start += 32) {
    const block = values.subarray(start, start + 32)
    const extreme = block.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0)
    const scale = extreme / -8
    for (const [at, value] of block.entries()) {
      const code = Math.min(15, Math.floor(value / scale + 8.5))
      rounded[start + at] = Math.f16round(scale) * (code - 8)
    }
  }
  return rounded
}

t.test('blocks of 8 bits are those of llama.cpp, and off by half a step at the most', async t => {
  const values = randomValues(3200)
  const rounded = dequantize('Q8_0', roundBlocks(values, 'Q8_0'))
  for (let start = 0; start < values.length; start += 32) {
    const block = values.subarray(start, start + 32)
    const step = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127
    const off = block.map((value, at) => Math.abs(value - (rounded[start + at] ?? 0)))
    if (Math.max(...off) > step * 0.57) t.fail(`block ${start / 32} is off by ${Math.max(...off) / step} steps`)
  }
  // d = 127 / 127: the codes are the numbers; halves go away from zero
  const known = Float32Array.from({ length: 32 }, (_, at) => [127, -2.5, 2.5, -0.5, 0.49][at] ?? 0)
  const block = new Int8Array(roundBlocks(known, 'Q8_0').buffer)
  t.strictSame([...block.subarray(0, 8)], [0, 0x3c, 127, -3, 3, -1, 0, 0])
})

t.test('blocks of 4 bits are closer than the largest number alone would have them', async t => {
  const values = randomValues(32_000)
  const rounded = dequantize('Q4_0', roundBlocks(values, 'Q4_0'))
  const [own, plain] = [squaredError(values, rounded), squaredError(values, plainNibbles(values))]
  t.ok(own < 0.95 * plain, `squared error ${own / plain} of that of llama.cpp's reference`)
})

t.test('the same bytes on every machine, and nothing of nothing', async t => {
  const hash = (target: 'Q8_0' | 'Q4_0') =>
    createHash('sha256')
      .update(roundBlocks(randomValues(3200), target))
      .digest('hex')
      .slice(0, 16)
  t.strictSame([hash('Q8_0'), hash('Q4_0')], ['92b187c807455d62', '1a5cb2348e5024c0'])
  for (const target of ['Q8_0', 'Q4_0'] as const) {
    t.ok(dequantize(target, roundBlocks(new Float32Array(64), target)).every(value => value === 0))
  }
})

t.test('a tensor of plain numbers is read as blocks, row by row', async t => {
  const values = randomValues(4 * 64)
  const read = (first: number, count: number) => new Uint8Array(values.slice(first * 64, (first + count) * 64).buffer)
  const tensor = { name: 'w', encoding: 'F32', rows: 4, columns: 64, rowBytes: 256, read } as const
  const rounded = roundedTensor(tensor, 'Q8_0')
  t.match(rounded, { encoding: 'Q8_0', rowBytes: 68, rows: 4, columns: 64 })
  t.strictSame(rounded.read(1, 2), roundBlocks(values.slice(64, 192), 'Q8_0'))
  t.ok(canRound(tensor))
  t.notOk(canRound({ encoding: 'F16', columns: 48 }), 'rows that are not whole blocks')
  t.notOk(canRound({ encoding: 'Q4_K', columns: 256 }), 'what is in blocks already')
})
