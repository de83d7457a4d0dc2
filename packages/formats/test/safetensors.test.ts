import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { memorySource } from '../src/byte-source.ts'
import { parseSafetensors } from '../src/safetensors.ts'
import { safetensorsBytes } from './file-bytes.ts'

const parse = (bytes: Uint8Array) => parseSafetensors(memorySource('m.safetensors', bytes))
const data = new Uint8Array(40)
const entry = (shape: number[], begin: number, end: number, dtype = 'F16') => ({
  dtype,
  shape,
  data_offsets: [begin, end]
})

t.test('reads the table', async t => {
  const bytes = safetensorsBytes(
    { __metadata__: { format: 'pt' }, a: entry([2, 4], 0, 16), b: entry([6], 16, 40, 'F32') },
    data
  )
  const tensors = parse(bytes)
  const start = bytes.byteLength - data.byteLength
  t.same(tensors.get('a'), { dtype: 'F16', encoding: 'F16', shape: [2, 4], offset: start, bytes: 16 })
  t.same(tensors.get('b'), { dtype: 'F32', encoding: 'F32', shape: [6], offset: start + 16, bytes: 24 })
})

const corruptions = [
  { id: 'a header that is not JSON', header: '{"a": ', message: /header is not JSON/ },
  { id: 'a header that is no object', header: '[1, 2]', message: /not a JSON object/ },
  {
    id: 'an entry without shape',
    header: { a: { dtype: 'F16', data_offsets: [0, 2] } },
    message: /tensor "a".*shape/s
  },
  { id: 'a negative dimension', header: { a: entry([-1], 0, 2) }, message: /tensor "a"/ },
  { id: 'another type of which nothing is told', header: { a: entry([4], 8, 0, 'I8') }, message: /not -8/ },
  { id: 'fewer bytes than the shape needs', header: { a: entry([4], 0, 6) }, message: /\[4\] needs 8 bytes, not 6/ },
  { id: 'an extent that runs backwards', header: { a: entry([4], 8, 0) }, message: /needs 8 bytes, not -8/ },
  {
    id: 'an extent past the end',
    header: { a: entry([4], 36, 44) },
    message: /"a" ends at byte \d+, the file at byte \d+/
  },
  { id: 'a shape that overflows', header: { a: entry([2 ** 40, 2 ** 40], 0, 16) }, message: /needs .* bytes/ },
  { id: 'tensors that overlap', header: { a: entry([4], 0, 8), b: entry([4], 4, 12) }, message: /"b" overlaps/ }
]
for (const { id, header, message } of corruptions) {
  t.test(`refuses ${id}`, async t => {
    t.throws(() => parse(safetensorsBytes(header, data)), { code: 'model_invalid', message })
  })
}

t.test('refuses a header longer than the file before reading it', async t => {
  const bytes = safetensorsBytes({ a: entry([4], 0, 8) }, data)
  new DataView(bytes.buffer).setBigUint64(0, 90_000_000n, true)
  t.throws(() => parse(bytes), { code: 'model_invalid', message: /claims 90000000 bytes/ })
  new DataView(bytes.buffer).setBigUint64(0, 2n ** 63n, true)
  t.throws(() => parse(bytes), { code: 'model_invalid' })
})

t.test('cut off or changed anywhere, only model_invalid comes out', async () => {
  const good = safetensorsBytes({ a: entry([2, 4], 0, 16), b: entry([6], 16, 40, 'F32') }, data)
  const change = fc.record({ at: fc.nat(good.byteLength - 41), value: fc.integer({ min: 0, max: 255 }) })
  assertProperty(
    fc.property(fc.array(change, { maxLength: 6 }), fc.nat(good.byteLength), (changes, length) => {
      const damaged = good.slice(0, length)
      for (const { at, value } of changes) if (at < length) damaged[at] = value
      try {
        parse(damaged)
      } catch (error) {
        if (!(error instanceof MeshError) || error.code !== 'model_invalid') throw error
      }
    }),
    { numRuns: 2000 }
  )
})
