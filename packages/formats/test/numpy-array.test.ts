import t from 'tap'
import { readNumpyArray } from '../src/index.ts'

function arrayOf(description: string, data: Uint8Array, version = 1): Uint8Array {
  const text = `${description}\n`
  const head = Buffer.alloc(version === 1 ? 10 : 12)
  head.write('\x93NUMPY', 'latin1')
  head[6] = version
  if (version === 1) head.writeUInt16LE(text.length, 8)
  else head.writeUInt32LE(text.length, 8)
  return Buffer.concat([head, Buffer.from(text), data])
}

const described = (type: string, shape: string, fortran = 'False'): string =>
  `{'descr': '${type}', 'fortran_order': ${fortran}, 'shape': (${shape}), }`

t.test('whole numbers are read, row by row, however they are stored', async t => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6)
  const rows = readNumpyArray('a', arrayOf(described('|u1', '2, 3'), bytes))
  t.strictSame(
    [rows.shape, [...rows.values]],
    [
      [2, 3],
      [1, 2, 3, 4, 5, 6]
    ]
  )
  const columns = readNumpyArray('a', arrayOf(described('|u1', '2, 3', 'True'), bytes, 2))
  t.strictSame([...columns.values], [1, 3, 5, 2, 4, 6])
  const long = new Uint8Array(BigInt64Array.of(-7n, 40_000n).buffer)
  t.strictSame([...readNumpyArray('a', arrayOf(described('<i8', '2,'), long)).values], [-7, 40_000])
})

t.test('arrays of objects, other numbers and sizes that do not fit are refused', async t => {
  const refuse = (bytes: Uint8Array): void => {
    t.throws(() => readNumpyArray('a', bytes), { code: 'model_invalid' })
  }
  refuse(new Uint8Array(4))
  refuse(arrayOf(described('|O', '1,'), Uint8Array.of(0x80)))
  refuse(arrayOf(described('|O8', '1,'), new Uint8Array(8)))
  refuse(arrayOf(described('<f4', '1,'), new Uint8Array(4)))
  refuse(arrayOf(described('>i8', '1,'), new Uint8Array(8)))
  refuse(arrayOf(described('|u1', '3,'), new Uint8Array(2)))
  refuse(arrayOf(described('|u1', '99999999, 99999999'), new Uint8Array(2)))
  refuse(arrayOf(described('|u1', '1, 1, 1, 1, 1'), new Uint8Array(1)))
  refuse(arrayOf(`__import__('os')`, new Uint8Array(1)))
  refuse(arrayOf(' '.repeat(5000), new Uint8Array(1)))
})
