import t from 'tap'
import type { QuantizedEncoding } from '../src/quantization/block-format.ts'
import { type BlockFormat, blockFormat, blockScales, dequantize, packValues } from '../src/quantization/encoding.ts'
import { RandomBits } from '../src/random-bits.ts'

type Reference = (block: DataView) => number[]

const half = (block: DataView, at: number): number => block.getFloat16(at, true)

/** `dequantize_row_*` of ggml-quants.c, written down as they stand there, one block at a time. */
const references: Record<QuantizedEncoding, { halves: number[]; dequantize: Reference }> = {
  Q4_0: {
    halves: [0],
    dequantize: block => nibbles(block, 2).map(q => (q - 8) * half(block, 0))
  },
  Q4_1: {
    halves: [0, 2],
    dequantize: block => nibbles(block, 4).map(q => q * half(block, 0) + half(block, 2))
  },
  Q5_0: {
    halves: [0],
    dequantize: block => fifths(block, 2, 6).map(q => (q - 16) * half(block, 0))
  },
  Q5_1: {
    halves: [0, 2],
    dequantize: block => fifths(block, 4, 8).map(q => q * half(block, 0) + half(block, 2))
  },
  Q8_0: {
    halves: [0],
    dequantize: block => Array.from({ length: 32 }, (_, j) => block.getInt8(2 + j) * half(block, 0))
  },
  Q4_K: { halves: [0, 2], dequantize: block => superBlock(block, 16, () => 0) },
  Q5_K: {
    halves: [0, 2],
    dequantize: block => superBlock(block, 48, (sub, l) => ((block.getUint8(16 + l) >> sub) & 1) * 16)
  },
  Q6_K: { halves: [208], dequantize: sixBits }
}

function nibbles(block: DataView, from: number): number[] {
  const low = Array.from({ length: 16 }, (_, j) => block.getUint8(from + j) & 0x0f)
  const high = Array.from({ length: 16 }, (_, j) => block.getUint8(from + j) >> 4)
  return [...low, ...high]
}

function fifths(block: DataView, highAt: number, lowAt: number): number[] {
  const high = block.getUint32(highAt, true)
  return nibbles(block, lowAt).map((q, j) => q | (((high >>> j) & 1) << 4))
}

function superBlock(block: DataView, quantsAt: number, fifth: (sub: number, l: number) => number): number[] {
  const values: number[] = []
  for (let sub = 0; sub < 8; sub += 1) {
    const at = (index: number): number => block.getUint8(4 + index)
    const scale = sub < 4 ? at(sub) & 63 : (at(sub + 4) & 0xf) | ((at(sub - 4) >> 6) << 4)
    const minimum = sub < 4 ? at(sub + 4) & 63 : (at(sub + 4) >> 4) | ((at(sub) >> 6) << 4)
    for (let l = 0; l < 32; l += 1) {
      const byte = block.getUint8(quantsAt + (sub >> 1) * 32 + l)
      const q = (sub % 2 === 0 ? byte & 0xf : byte >> 4) + fifth(sub, l)
      values.push(half(block, 0) * scale * q - half(block, 2) * minimum)
    }
  }
  return values
}

function sixBits(block: DataView): number[] {
  const values = new Array<number>(256).fill(0)
  for (let n = 0; n < 2; n += 1) {
    const low = (l: number): number => block.getUint8(n * 64 + l)
    const high = (l: number): number => block.getUint8(128 + n * 32 + l)
    const scale = (index: number): number => half(block, 208) * block.getInt8(192 + n * 8 + index)
    for (let l = 0; l < 32; l += 1) {
      const first = n * 128 + l
      const is = l >> 4
      values[first] = scale(is) * (((low(l) & 0xf) | (((high(l) >> 0) & 3) << 4)) - 32)
      values[first + 32] = scale(is + 2) * (((low(l + 32) & 0xf) | (((high(l) >> 2) & 3) << 4)) - 32)
      values[first + 64] = scale(is + 4) * (((low(l) >> 4) | (((high(l) >> 4) & 3) << 4)) - 32)
      values[first + 96] = scale(is + 6) * (((low(l + 32) >> 4) | (((high(l) >> 6) & 3) << 4)) - 32)
    }
  }
  return values
}

/** Random blocks with scales of usual size where the format has halves. */
function randomBlocks(format: BlockFormat, halves: number[], count: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil((format.sourceBytes * count) / 4))
  new RandomBits(0x5eed).fill(words)
  const bytes = new Uint8Array(words.buffer, 0, format.sourceBytes * count)
  const view = new DataView(bytes.buffer)
  for (let block = 0; block < count; block += 1) {
    for (const at of halves) {
      const offset = block * format.sourceBytes + at
      view.setFloat16(offset, (view.getInt16(offset, true) / 32_768) * 0.05, true)
    }
  }
  return bytes
}

function isNear(actual: readonly number[], expected: readonly number[], tolerance: number): boolean {
  return expected.every((value, index) => {
    return Math.abs(value - (actual[index] ?? Number.NaN)) <= tolerance * Math.max(1, Math.abs(value))
  })
}

/** Our encoding read as MatMulNBits does. */
function unpack(format: BlockFormat, data: Uint8Array, index: number): number {
  if (format.bits === 8) return (data[index] ?? 0) - 128
  const byte = data[index >> 1] ?? 0
  return (index % 2 === 0 ? byte & 0x0f : byte >> 4) - 8
}

for (const [encoding, reference] of Object.entries(references) as [QuantizedEncoding, (typeof references)['Q4_0']][]) {
  t.test(`${encoding} keeps its values`, async t => {
    const format = blockFormat(encoding)
    if (format === undefined) throw new Error(`no format for ${encoding}`)
    const count = 64
    const source = randomBlocks(format, reference.halves, count)
    const expected = Array.from({ length: count }, (_, block) =>
      reference.dequantize(new DataView(source.buffer, block * format.sourceBytes, format.sourceBytes))
    ).flat()
    const data = packValues(format, source)
    const { scales, corrections } = blockScales(format, source)
    const actual = expected.map((_, index) => {
      const block = Math.floor(index / format.blockSize)
      return (scales[block] ?? 0) * unpack(format, data, index) + (corrections[block] ?? 0)
    })
    t.equal(data.byteLength, (expected.length * format.bits) / 8)
    t.equal(scales.length, expected.length / format.blockSize)
    t.equal(
      corrections.every(value => value === 0),
      !format.corrected,
      'corrections exactly where there are minima'
    )
    // without a correction every product is exact in a double; one rounds d·middle + m to f32
    t.ok(isNear(actual, expected, format.corrected ? 1e-6 : 0))
    t.ok(isNear([...dequantize(encoding, source)], expected, 1e-6))
  })
}

t.test('plain numbers decode to the same f32', async t => {
  const values = [0, -0, 1, -1.5, 65_504, 2 ** -24, Number.POSITIVE_INFINITY]
  const halves = new Uint8Array(new Float16Array(values).buffer)
  t.same([...dequantize('F16', halves)], values)
  const floats = new Uint8Array(Float32Array.from(values).buffer)
  t.same([...dequantize('F32', floats)], values)
  const brain = new Uint8Array(floats.filter((_, index) => index % 4 >= 2))
  t.same([...dequantize('BF16', brain)].slice(0, 4), values.slice(0, 4))
  const unaligned = new Uint8Array(floats.byteLength + 1)
  unaligned.set(floats, 1)
  t.same([...dequantize('F32', unaligned.subarray(1))], values, 'from an offset that no typed array can view')
})
