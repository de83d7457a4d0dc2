import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { memorySource } from '../src/byte-source.ts'
import { parseGgufHeader } from '../src/gguf.ts'
import { encodeGgufHeader, type GgufContent } from '../src/gguf-writer.ts'
import { randomGguf } from '../src/random-gguf.ts'
import { floatTensor, ggufBytes, withEntries } from './file-bytes.ts'

const parse = (bytes: Uint8Array) => parseGgufHeader(memorySource('m.gguf', bytes))

/** A small file: the fuzzing below cuts and changes it at every byte. */
const small: GgufContent = {
  metadata: {
    'general.architecture': { type: 'string', value: 'llama' },
    'a.number': { type: 'i32', value: -7 },
    'a.float': { type: 'f32', value: 0.5 },
    'a.flag': { type: 'bool', value: true },
    'a.list': { type: 'string', value: ['one', 'zwei', '三'] },
    'a.table': { type: 'f32', value: [1, 2, 3] }
  },
  tensors: [floatTensor('vector', [3], [1, 2, 3]), floatTensor('matrix', [2, 3], [1, 2, 3, 4, 5, 6])]
}

t.test('what was written is read', async t => {
  const bytes = ggufBytes(small)
  const header = parse(bytes)
  t.equal(header.version, 3)
  t.same(Object.fromEntries(header.metadata), {
    'general.architecture': 'llama',
    'a.number': -7,
    'a.float': 0.5,
    'a.flag': true,
    'a.list': ['one', 'zwei', '三'],
    'a.table': [1, 2, 3]
  })
  t.same([...header.tensors.keys()], ['vector', 'matrix'])
  const matrix = header.tensors.get('matrix')
  t.match(matrix, { encoding: 'F32', shape: [2, 3], bytes: 24, offset: header.dataOffset + 32 })
})

t.test('a header larger than one read is read whole', async t => {
  const tokens = Array.from({ length: 150_000 }, (_, index) => `token ${index}`)
  const header = parse(ggufBytes(withEntries(small, { tokens: { type: 'string', value: tokens } })))
  t.same(header.metadata.get('tokens'), tokens)
})

t.test('cut off anywhere, it is refused as such', async t => {
  const bytes = ggufBytes(small)
  const lastData = bytes.byteLength - 8
  for (let length = 0; length < lastData; length += 1) {
    try {
      parse(bytes.slice(0, length))
      t.fail(`accepted ${length} of ${bytes.byteLength} bytes`)
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'model_invalid') t.fail(`${length} bytes: ${String(error)}`)
    }
  }
  t.throws(() => parse(bytes.slice(0, 100)), { message: /cut off: .* at byte \d+, the file has 100/ })
  t.throws(() => parse(bytes.slice(0, lastData - 1)), {
    message: /tensor "matrix" takes bytes \d+ to \d+, but the file ends/
  })
})

t.test('whatever is in it, only model_invalid comes out', async () => {
  const bytes = encodeGgufHeader(small)
  const change = fc.record({ at: fc.nat(bytes.byteLength - 1), value: fc.integer({ min: 0, max: 255 }) })
  assertProperty(
    fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), changes => {
      const damaged = new Uint8Array(ggufBytes(small))
      for (const { at, value } of changes) damaged[at] = value
      try {
        parse(damaged)
      } catch (error) {
        if (!(error instanceof MeshError) || error.code !== 'model_invalid') throw error
      }
    }),
    { numRuns: 3000 }
  )
})

interface Corruption {
  readonly id: string
  readonly bytes: () => Uint8Array
  readonly message: RegExp
}

/** Overwrites the little-endian u64 (or u32) that follows `text` in the header. */
function patched(after: string, skip: number, value: bigint): Uint8Array {
  const bytes = Buffer.from(ggufBytes(small))
  const at = bytes.indexOf(after) + after.length + skip
  bytes.writeBigUInt64LE(value, at)
  return bytes
}

const corruptions: Corruption[] = [
  { id: 'another kind of file', bytes: () => new TextEncoder().encode('PK and more'), message: /not a GGUF file/ },
  { id: 'version 1', bytes: () => patched('GGUF', 0, 1n), message: /version 1 is not supported/ },
  {
    id: 'a big-endian file',
    bytes: () => patched('GGUF', 0, 0x03000000n),
    message: /big-endian machines/
  },
  {
    id: 'too many tensors',
    bytes: () => patched('GGUF', 4, 2n ** 60n),
    message: /number of tensors at byte 8 is \d+, over/
  },
  { id: 'too much metadata', bytes: () => patched('GGUF', 12, 2n ** 40n), message: /number of metadata entries/ },
  {
    id: 'a string without end',
    bytes: () => patched('general.architecture', 4, 2n ** 62n),
    message: /general\.architecture/
  },
  {
    id: 'an array without end',
    bytes: () => patched('a.table', 8, 2n ** 33n),
    message: /length of the array "a\.table"/
  },
  { id: 'an unknown type', bytes: () => patched('a.number', 0, 99n), message: /"a\.number" has the unknown type 99/ },
  { id: 'a nested array', bytes: () => patched('a.table', 4, 9n), message: /"a\.table" has the unknown type 9/ },
  { id: 'an overflowing shape', bytes: () => patched('matrix', 4, 2n ** 63n), message: /dimension of tensor "matrix"/ },
  {
    id: 'a shape past the end',
    bytes: () => patched('matrix', 12, 2n ** 31n),
    message: /"matrix" takes bytes .* file ends/
  },
  {
    id: 'an unknown tensor type',
    bytes: () => patched('matrix', 20, 77n),
    message: /"matrix" has ggml type 77; supported are F32/
  },
  { id: 'tensors that overlap', bytes: () => patched('matrix', 24, 0n), message: /overlaps the one before it/ },
  { id: 'data off its alignment', bytes: () => patched('matrix', 24, 36n), message: /not aligned to 32 bytes/ },
  {
    id: 'rows that are no whole blocks',
    bytes: () => ggufBytes({ ...small, tensors: [{ name: 'q', encoding: 'Q4_0', shape: [48, 2], chunks: () => [] }] }),
    message: /"q" has rows of 48, not a multiple of the 32 of Q4_0/
  },
  {
    id: 'an odd alignment',
    bytes: () => ggufBytes(withEntries(small, { 'general.alignment': { type: 'u32', value: 48 } })),
    message: /general\.alignment is 48/
  }
]

for (const { id, bytes, message } of corruptions) {
  t.test(`refuses ${id}`, async t => {
    t.throws(() => parse(bytes()), { code: 'model_invalid', message })
  })
}

t.test('the random model has every tensor of a Llama', async t => {
  const shape = {
    layerCount: 2,
    hiddenSize: 64,
    intermediateSize: 96,
    headCount: 4,
    kvHeadCount: 2,
    vocabularySize: 300,
    contextLength: 128,
    tiedEmbedding: false
  }
  const header = parse(ggufBytes(randomGguf({ shape, seed: 7, encoding: 'Q4_0' })))
  t.equal(header.tensors.size, 2 * 9 + 3)
  t.equal((header.metadata.get('tokenizer.ggml.tokens') as string[]).length, 300)
})
