import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { memorySource } from '../src/byte-source.ts'
import { ct2Number, ct2Tensors, looksLikeCt2, parseCt2 } from '../src/ctranslate2.ts'

interface Entry {
  readonly name: string
  readonly shape: readonly number[]
  readonly type: number
  readonly data: Uint8Array
  /** What the file says of the data's size, where it lies. */
  readonly bytes?: number
}

const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer)
const text = (value: string) =>
  Buffer.concat([new Uint8Array(Uint16Array.of(value.length + 1).buffer), Buffer.from(`${value}\0`)])

interface Told {
  readonly version?: number
  readonly aliases?: readonly (readonly [string, string])[]
  readonly count?: number
  readonly aliasCount?: number
}

function ct2Bytes(
  entries: readonly Entry[],
  { version = 6, aliases = [], count = entries.length, aliasCount = aliases.length }: Told = {}
): Uint8Array {
  const variables = entries.map(({ name, shape, type, data, bytes = data.byteLength }) =>
    Buffer.concat([text(name), Uint8Array.of(shape.length), ...shape.map(u32), Uint8Array.of(type), u32(bytes), data])
  )
  const names = aliases.map(pair => Buffer.concat(pair.map(text)))
  return Buffer.concat([u32(version), text('WhisperSpec'), u32(3), u32(count), ...variables, u32(aliasCount), ...names])
}

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
const entries: readonly Entry[] = [
  { name: 'encoder/num_heads', shape: [], type: 2, data: Uint8Array.of(6, 0) },
  { name: 'encoder/conv1/weight', shape: [2, 1, 3], type: 0, data: floats(1, 2, 3, 4, 5, 6) },
  { name: 'decoder/embeddings/weight', shape: [2, 2], type: 4, data: new Uint8Array(8) }
]
const aliases = [['decoder/projection/weight', 'decoder/embeddings/weight']] as const
const parse = (bytes: Uint8Array) => parseCt2(memorySource('model.bin', bytes))

t.test('reads the table, numbers and tensors', async t => {
  const file = memorySource('model.bin', ct2Bytes(entries, { aliases }))
  const model = parseCt2(file)
  t.match(model, { spec: 'WhisperSpec', revision: 3 })
  t.equal(ct2Number(file, model, 'encoder/num_heads'), 6)
  t.equal(ct2Number(file, model, 'encoder/conv1/weight'), undefined, 'weights are no number')
  t.equal(ct2Number(file, model, 'absent'), undefined)
  const tensors = ct2Tensors(file, model)
  t.strictSame(
    [...tensors.names],
    ['encoder/conv1/weight', 'decoder/embeddings/weight', 'decoder/projection/weight'],
    'numbers are no tensors, other names are'
  )
  const conv = tensors.get('encoder/conv1/weight')
  t.match(conv, { encoding: 'F32', rows: 2, columns: 3 })
  t.strictSame([...new Float32Array(conv?.read(1, 1).buffer ?? new ArrayBuffer(0))], [4, 5, 6])
  t.match(tensors.get('decoder/projection/weight'), { encoding: 'F16', rows: 2, columns: 2 })
  t.equal(tensors.get('absent'), undefined)
})

t.test('tells its files by their beginning', async t => {
  t.ok(looksLikeCt2(ct2Bytes(entries)))
  t.notOk(looksLikeCt2(Buffer.from('PK\x03\x04 a pickle of PyTorch')))
  t.notOk(looksLikeCt2(Uint8Array.of(6, 0, 0, 0)))
})

const [heads, conv] = entries as [Entry, Entry]
const wrong: readonly { readonly id: string; readonly bytes: () => Uint8Array; readonly message: RegExp }[] = [
  { id: 'another layout', bytes: () => ct2Bytes(entries, { version: 5 }), message: /layout 5; supported is 6/ },
  { id: 'more variables than bytes', bytes: () => ct2Bytes([], { count: 2 ** 31 }), message: /claims 2147483648 vari/ },
  { id: 'a variable that is not there', bytes: () => ct2Bytes(entries, { count: 4 }), message: /model.bin/ },
  { id: 'a variable twice', bytes: () => ct2Bytes([heads, heads]), message: /"encoder\/num_heads" stands there twice/ },
  { id: 'a type of the future', bytes: () => ct2Bytes([{ ...heads, type: 9 }]), message: /type 9, not known/ },
  { id: 'nine dimensions', bytes: () => ct2Bytes([{ ...conv, shape: [2, 3, 1, 1, 1, 1, 1, 1, 1] }]), message: /9 dim/ },
  {
    id: 'sizes that overflow',
    bytes: () => ct2Bytes([{ ...conv, shape: [65536, 65536, 65536] }]),
    message: /needs 11258/
  },
  {
    id: 'fewer bytes than the shape needs',
    bytes: () => ct2Bytes([{ ...conv, shape: [7] }]),
    message: /needs 28 bytes/
  },
  {
    id: 'data behind the end',
    bytes: () => ct2Bytes([{ ...conv, shape: [100], bytes: 400 }]),
    message: /ends at byte \d+, the file at byte/
  },
  { id: 'bytes that nobody wants', bytes: () => Buffer.concat([ct2Bytes(entries), u32(0)]), message: /ends at byte/ },
  {
    id: 'a name for nothing',
    bytes: () => ct2Bytes(entries, { aliases: [['a', 'b']] }),
    message: /"a" stands for "b", which is not there/
  },
  {
    id: 'a second name that is a first one',
    bytes: () => ct2Bytes(entries, { aliases: [['encoder/num_heads', 'encoder/conv1/weight']] }),
    message: /stands there twice/
  },
  { id: 'more second names than bytes', bytes: () => ct2Bytes(entries, { aliasCount: 50 }), message: /50 aliases/ },
  { id: 'a name of no letters', bytes: () => ct2Bytes([{ ...heads, name: 'a\nb' }]), message: /no name/ },
  {
    id: 'a name too long',
    bytes: () => ct2Bytes([{ ...heads, name: 'a'.repeat(600) }]),
    message: /has 601 bytes, over/
  }
]
for (const { id, bytes, message } of wrong) {
  t.test(`refuses ${id}`, async t => {
    t.throws(() => parse(bytes()), { code: 'model_invalid', message })
  })
}

t.test('refuses weights in whole numbers, and says how to convert them', async t => {
  const file = memorySource('model.bin', ct2Bytes([{ name: 'w', shape: [2], type: 1, data: Uint8Array.of(1, 2) }]))
  const tensors = ct2Tensors(file, parseCt2(file))
  t.throws(() => tensors.get('w'), { code: 'model_invalid', message: /stored as i8/, hint: /float16/ })
})

t.test('cut off anywhere, it is refused as such', async t => {
  const bytes = ct2Bytes(entries, { aliases })
  for (let length = 0; length < bytes.byteLength; length++) {
    t.throws(() => parse(bytes.subarray(0, length)), { code: 'model_invalid' }, `${length} bytes`)
  }
})

t.test('whatever bytes are wrong, it is refused or read', async () => {
  const whole = ct2Bytes(entries, { aliases })
  const damaged = fc
    .array(fc.tuple(fc.nat(whole.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    .map(changes => {
      const bytes = Uint8Array.from(whole)
      for (const [at, value] of changes) bytes[at] = value
      return bytes
    })
  assertProperty(
    fc.property(damaged, bytes => {
      try {
        const file = memorySource('model.bin', bytes)
        const model = parseCt2(file)
        const tensors = ct2Tensors(file, model)
        for (const name of tensors.names) tensors.get(name)?.read(0, 1)
        for (const name of model.variables.keys()) ct2Number(file, model, name)
      } catch (error) {
        if (!(error instanceof MeshError) || error.code !== 'model_invalid') throw error
      }
    })
  )
})
