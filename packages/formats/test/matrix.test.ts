import t from 'tap'
import { mergeExtents } from '../src/file-extent.ts'
import { RandomBits } from '../src/random-bits.ts'
import { floatColumns, stack } from '../src/weights/matrix.ts'
import type { SourceTensor } from '../src/weights/source-tensor.ts'

function tensor(name: string, rows: number, columns: number): SourceTensor {
  const values = new Float32Array(rows * columns)
  const words = new Uint32Array(rows * columns)
  new RandomBits(rows).fill(words)
  for (const [at, word] of words.entries()) values[at] = (word >>> 8) / 2 ** 24
  const rowBytes = columns * 4
  const bytes = new Uint8Array(values.buffer)
  const read = (first: number, count: number) => bytes.slice(first * rowBytes, (first + count) * rowBytes)
  return { name, encoding: 'F32', rows, columns, rowBytes, read }
}

t.test('a transpose in narrow bands has the bytes of one in a wide band', async t => {
  const matrix = stack('qkv', [tensor('q', 40, 24), tensor('k', 8, 24)])
  const whole = Buffer.concat([...floatColumns(matrix)])
  t.equal(whole.length, 48 * 24 * 4)
  for (const bandColumns of [1, 5, 7, 23]) {
    t.ok(whole.equals(Buffer.concat([...floatColumns(matrix, bandColumns * 48 * 4)])), `${bandColumns} columns`)
  }
})

t.test('extents that touch or overlap are one, in the order of file and offset', async t => {
  const extent = (file: string, offset: number, bytes: number) => ({ file, offset, bytes })
  const extents = [extent('b', 0, 4), extent('a', 10, 5), extent('a', 0, 10), extent('a', 12, 2), extent('a', 20, 0)]
  t.strictSame(mergeExtents(extents), [extent('a', 0, 15), extent('b', 0, 4)])
  t.strictSame(mergeExtents([extent('a', 0, 1), extent('a', 2, 1)]), [extent('a', 0, 1), extent('a', 2, 1)])
})
