import { MeshError, parseModelManifest } from '@resultity/interface'
import t from 'tap'

const sha256 = 'a'.repeat(64)

/** `[1, 32]` quantized in one block, with means behind it. */
const quantized = {
  name: 'qkv',
  encoding: 'q4',
  rows: 1,
  columns: 32,
  meanColumns: 1,
  blockSize: 32,
  data: { offset: 0, bytes: 32 },
  scales: { offset: 4096, bytes: 8 },
  zeroPoints: { offset: 8192, bytes: 1 }
}
const plain = { name: 'input_norm', encoding: 'f32', shape: [8], data: { offset: 12_288, bytes: 32 } }

const layer = { sha256, bytes: 12_320, tensors: [quantized, plain] }
const config = {
  layerCount: 1,
  hiddenSize: 64,
  intermediateSize: 128,
  headCount: 4,
  kvHeadCount: 2,
  headDim: 16,
  vocabularySize: 100,
  contextLength: 512,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  ropeScaling: { type: 'none' },
  tiedEmbedding: true
}
const empty = { sha256, bytes: 1, tensors: [] }
const manifest = {
  version: 1,
  name: 'sample',
  architecture: 'llama',
  config,
  tokenizer: { definition: { sha256, bytes: 1 }, config: { sha256, bytes: 1 }, endTokenIds: [2] },
  embedding: empty,
  layers: [layer],
  head: empty
}
const llama3 = {
  type: 'llama3',
  factor: 8,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalContextLength: 8192
}

const read = (value: unknown): unknown => parseModelManifest('sample', new TextEncoder().encode(JSON.stringify(value)))
const withConfig = (change: object): object => ({ ...manifest, config: { ...config, ...change } })
const withTensors = (...tensors: object[]): object => ({ ...manifest, layers: [{ ...layer, tensors }] })

t.test('a manifest whose numbers fit together is read', async t => {
  t.strictSame(read(manifest), manifest)
  t.ok(read(withConfig({ ropeScaling: llama3 })))
})

const refused: Record<string, readonly [unknown, RegExp]> = {
  'no JSON': ['{', /is a?/],
  'no layers': [withConfig({ layerCount: 0 }), /"config\.layerCount" is 0/],
  'a negative size': [withConfig({ hiddenSize: -1 }), /"config\.hiddenSize" is -1/],
  'a size with a fraction': [withConfig({ vocabularySize: 1.5 }), /"config\.vocabularySize" is 1\.5/],
  'a size that is no number': [withConfig({ headCount: '4' }), /"config\.headCount" is "4"/],
  'a size over the limit': [withConfig({ headDim: 2048 }), /"config\.headDim" is 2048/],
  'a size that no double holds': [withConfig({ contextLength: 2 ** 60 }), /"config\.contextLength" is/],
  'heads that cannot be computed': [withConfig({ headDim: 100 }), /"config\.headDim" is 100: heads of 100 dimensions/],
  'rotated parts that cannot be': [
    withConfig({ traits: { rotaryDim: 8 } }),
    /"config\.traits\.rotaryDim" is 8: rotated parts of heads of 8/
  ],
  'more experts taken than there are': [
    withConfig({ traits: { experts: { count: 2, used: 3, size: 8 } } }),
    /"config\.traits\.experts\.used" is 3: 3 of 2 experts/
  ],
  'too many experts': [
    withConfig({ traits: { experts: { count: 513, used: 2, size: 8 } } }),
    /"config\.traits\.experts\.count" is 513/
  ],
  'layers without experts in a model without': [
    withConfig({ traits: { layers: [{ feedForward: 'dense' }] } }),
    /layers have none in place of those/
  ],
  'heads that do not group': [withConfig({ kvHeadCount: 3 }), /4 heads cannot share 3/],
  'an epsilon of nothing': [withConfig({ rmsNormEpsilon: 0 }), /"config\.rmsNormEpsilon" is 0/],
  'a base below one': [withConfig({ ropeTheta: 1e-300 }), /"config\.ropeTheta" is 1e-300/],
  'a base without end': [withConfig({ ropeTheta: 1e308 }), /"config\.ropeTheta" is 1e\+308/],
  'a factor of nothing': [
    withConfig({ ropeScaling: { type: 'linear', factor: 0 } }),
    /"config\.ropeScaling\.factor" is 0/
  ],
  'frequencies the wrong way round': [
    withConfig({ ropeScaling: { ...llama3, lowFrequencyFactor: 4 } }),
    /"config\.ropeScaling\.lowFrequencyFactor" is 4/
  ],
  'two tensors of one name': [
    withTensors(plain, { ...plain, data: { offset: 0, bytes: 32 } }),
    /"input_norm" stands there twice/
  ],
  'a tensor beyond the file': [
    withTensors({ ...plain, data: { offset: 16_384, bytes: 32 } }),
    /"layers\[0\]\.tensors\[0\]\.data\.offset" is 16384: ends at byte 16416, the file at 12320/
  ],
  'a tensor in another': [
    withTensors(quantized, { ...plain, data: { offset: 4100, bytes: 32 } }),
    /inside of what ends at 4104/
  ],
  'fewer bytes than the shape needs': [
    withTensors({ ...plain, shape: [9] }),
    /\.data\.bytes" is 32: 32 bytes, the sizes make it 36/
  ],
  'a shape whose product no double holds': [
    withTensors({ ...plain, shape: [2 ** 53 - 1, 2 ** 53 - 1] }),
    /"layers\[0\]\.tensors\[0\]/
  ],
  'columns that are no whole blocks': [withTensors({ ...quantized, columns: 33 }), /columns" is 33/],
  'a fraction of a copy of means': [
    withTensors({
      ...quantized,
      columns: 64,
      meanColumns: 3,
      data: { offset: 0, bytes: 48 },
      scales: { offset: 4096, bytes: 12 },
      zeroPoints: { offset: 8192, bytes: 2 }
    }),
    /meanColumns" is 3: 3, no multiple of 2/
  ],
  'scales for other blocks': [withTensors({ ...quantized, scales: { offset: 4096, bytes: 4 } }), /scales\.bytes" is 4/]
}
for (const [name, [value, message]] of Object.entries(refused)) {
  t.test(`${name}: refused, naming the field and what stands there`, async t => {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : undefined
    const reading = (): unknown => (bytes === undefined ? read(value) : parseModelManifest('sample', bytes))
    t.throws(reading, { constructor: MeshError, code: 'model_invalid', message })
  })
}
