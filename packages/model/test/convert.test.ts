import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { decodeFloats, type GgufContent, randomGguf, writeRandomGguf } from '@resultity/formats'
import {
  type DecoderManifest,
  weightFiles as filesOf,
  modelManifestSchema,
  type PlainTensor,
  requireDecoder,
  TENSOR_ALIGNMENT_BYTES,
  type TensorEntry,
  type WeightFile
} from '@resultity/interface'
import t, { type Test } from 'tap'
import { type ConvertedModel, type ConvertInit, convertModel } from '../src/import/convert.ts'
import {
  floatTensor,
  ggufBytes,
  safetensorsBytes,
  TINY_CHAT,
  TINY_SHAPE,
  tinyChatTensors,
  tinyGguf,
  withMetadata,
  withTensor
} from './tiny-models.ts'

const tokenizerFiles = { definition: new Uint8Array([1]), config: new Uint8Array([2]), endTokenIds: [2] }

interface Conversion extends ConvertedModel {
  readonly manifest: DecoderManifest
  readonly store: FileBlobStore
}

async function convert(t: Test, path: string, init: Partial<ConvertInit> = {}): Promise<Conversion> {
  const store = await FileBlobStore.open(join(t.testdirName, `store-${performance.now()}`))
  t.teardown(() => store[Symbol.asyncDispose]())
  const { manifest, manifestSha256 } = await convertModel(path, { store, name: 'test', tokenizerFiles, ...init })
  return { store, manifest: requireDecoder(manifest), manifestSha256 }
}

async function convertGguf(t: Test, content: GgufContent, init: Partial<ConvertInit> = {}): Promise<Conversion> {
  const path = join(t.testdir(), 'model.gguf')
  writeFileSync(path, ggufBytes(content))
  return convert(t, path, init)
}

const describe = (tensor: TensorEntry): string =>
  `${tensor.name} ${tensor.encoding} ${'shape' in tensor ? tensor.shape.join('×') : `${tensor.rows}×${tensor.columns}/${tensor.blockSize}${tensor.meanColumns ? ' corrected' : ''}`}`

/** Values of an f32 tensor. */
async function floats(store: FileBlobStore, file: WeightFile, name: string): Promise<Float32Array> {
  const entry = file.tensors.find((tensor): tensor is PlainTensor => tensor.name === name && 'shape' in tensor)
  if (entry?.encoding !== 'f32') throw new Error(`${name} is not there as f32`)
  const { offset, bytes } = entry.data
  const blob = await store.read(file.sha256)
  return decodeFloats('F32', new Uint8Array(blob.slice(offset, offset + bytes)))
}

t.test('tiny-chat becomes the same blobs everywhere', async t => {
  const progress: number[] = []
  const { manifest, manifestSha256, store } = await convert(t, TINY_CHAT, {
    onProgress: ({ bytesDone, bytesTotal }) => progress.push(bytesDone / bytesTotal)
  })
  t.same(manifest.layers[0]?.tensors.map(describe), [
    'input_norm f32 128',
    'qkv f16 128×256',
    'output f16 128×128',
    'post_norm f32 128',
    'gate_up f16 128×704',
    'down f16 352×128'
  ])
  t.same(manifest.embedding.tensors.map(describe), ['embedding f16 768×128'], 'as published')
  t.same(manifest.head.tensors.map(describe), ['final_norm f32 128'])
  t.equal(manifest.embedding.sha256, '302f8a4494f70dddbf7ec9c7ea266e112bd07026758733875c2e4d8cd691bd1d')
  t.equal(manifest.layers[0]?.sha256, '89adefedebb9049815a49616da5700b9a5b28d9eedecd921fee00c0fdf935e30')
  t.equal(manifest.head.sha256, '697f4413e4813c3d30c63e5841b44e5e3522757d264233801d3bff7aa6dd8093')
  t.same(modelManifestSchema.parse(JSON.parse(new TextDecoder().decode(await store.read(manifestSha256)))), manifest)
  t.equal(progress.at(-1), 1)
  t.ok(progress.every((value, index) => value > (progress[index - 1] ?? 0)))
  const again = await convert(t, TINY_CHAT)
  t.equal(again.manifestSha256, manifestSha256)
})

t.test('projections are transposed, tables are not', async t => {
  const { manifest, store } = await convert(t, TINY_CHAT, { dequantize: true })
  const tensors = tinyChatTensors()
  const value = (name: string, index: number): number => {
    const bytes = tensors.get(name)?.bytes
    if (bytes === undefined) throw new Error(`no ${name}`)
    return new Float16Array(bytes.buffer)[index] ?? Number.NaN
  }
  const layer = manifest.layers[3]
  if (layer === undefined) throw new Error('no fourth layer')
  const qkv = await floats(store, layer, 'qkv')
  // rows 0–127 are queries, 128–191 keys, 192–255 values
  t.equal(qkv[5 * 256 + 100], value('model.layers.3.self_attn.q_proj.weight', 100 * 128 + 5))
  t.equal(qkv[127 * 256 + 128], value('model.layers.3.self_attn.k_proj.weight', 127))
  t.equal(qkv[6 * 256 + 255], value('model.layers.3.self_attn.v_proj.weight', 63 * 128 + 6))
  const embedding = await floats(store, manifest.embedding, 'embedding')
  t.equal(embedding[700 * 128 + 9], value('model.embed_tokens.weight', 700 * 128 + 9))
  const halves = await convert(t, TINY_CHAT)
  const file = halves.manifest.layers[3]
  const stored = file?.tensors.find(({ name }) => name === 'qkv')?.data
  const blob = new Uint8Array(await halves.store.read(file?.sha256 ?? ''))
  const qkvHalves = new Float16Array(blob.buffer, blob.byteOffset + (stored?.offset ?? 0), qkv.length)
  t.strictSame(Float32Array.from(qkvHalves), qkv, 'of 16 bits the same numbers')
})

/** tiny-chat as llama.cpp's converter writes it, all f32: queries and keys with interleaved rotary pairs. */
function tinyChatGguf(): GgufContent {
  const { layerCount, hiddenSize, headDim } = { layerCount: 4, hiddenSize: 128, headDim: 16 }
  const tensors = tinyChatTensors()
  const content = tinyGguf({
    layerCount,
    hiddenSize,
    intermediateSize: 352,
    headCount: 8,
    kvHeadCount: 4,
    vocabularySize: 768,
    contextLength: 512,
    tiedEmbedding: true
  })
  const names: Record<string, string> = {
    token_embd: 'embed_tokens',
    output_norm: 'norm',
    attn_norm: 'input_layernorm',
    attn_q: 'self_attn.q_proj',
    attn_k: 'self_attn.k_proj',
    attn_v: 'self_attn.v_proj',
    attn_output: 'self_attn.o_proj',
    ffn_norm: 'post_attention_layernorm',
    ffn_gate: 'mlp.gate_proj',
    ffn_up: 'mlp.up_proj',
    ffn_down: 'mlp.down_proj'
  }
  const exact = { 'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: 1e-5 } } as const
  return {
    ...withMetadata(content, exact),
    tensors: content.tensors.map(({ name }) => {
      const [, layer, short = ''] = /^(?:blk\.(\d+)\.)?(\w+)\.weight$/.exec(name) ?? []
      const source = tensors.get(`model.${layer === undefined ? '' : `layers.${layer}.`}${names[short]}.weight`)
      if (source === undefined) throw new Error(`no tensor for ${name}`)
      const values = [...new Float16Array(source.bytes.buffer)]
      const rotary = short === 'attn_q' || short === 'attn_k'
      return floatTensor(name, source.shape.toReversed(), rotary ? interleave(values, hiddenSize, headDim) : values)
    })
  }
}

/** `LlamaModel.permute` of convert_hf_to_gguf.py: reshape(heads, 2, headDim / 2, columns), swap the middle axes. */
function interleave(values: readonly number[], columns: number, headDim: number): number[] {
  const rows = values.length / columns
  return Array.from({ length: rows }, (_, row) => {
    const inHead = row % headDim
    const from = row - inHead + (inHead % 2) * (headDim / 2) + Math.floor(inHead / 2)
    return values.slice(from * columns, (from + 1) * columns)
  }).flat()
}

t.test('a model has the same weight files from safetensors and from GGUF', async t => {
  const gguf = await convertGguf(t, tinyChatGguf())
  const folder = await convert(t, TINY_CHAT, { dequantize: true })
  t.same(filesOf(gguf.manifest), filesOf(folder.manifest))
  t.match(gguf.manifest.config, { ...folder.manifest.config, rmsNormEpsilon: Math.fround(1e-5) })
})

t.test('sharded weights give the same model', async t => {
  const dir = t.testdir()
  cpSync(TINY_CHAT, dir, { recursive: true })
  rmSync(join(dir, 'model.safetensors'))
  const map: Record<string, string> = {}
  for (const [index, half] of splitInTwo([...tinyChatTensors()]).entries()) {
    const shard = `model-0000${index + 1}-of-00002.safetensors`
    const header: Record<string, unknown> = {}
    let end = 0
    for (const [name, { shape, bytes }] of half) {
      header[name] = { dtype: 'F16', shape, data_offsets: [end, end + bytes.byteLength] }
      end += bytes.byteLength
      map[name] = shard
    }
    writeFileSync(join(dir, shard), safetensorsBytes(header, Buffer.concat(half.map(([, { bytes }]) => bytes))))
  }
  const index = join(dir, 'model.safetensors.index.json')
  writeFileSync(index, JSON.stringify({ weight_map: map }))
  const whole = await convert(t, TINY_CHAT)
  t.equal((await convert(t, dir)).manifestSha256, whole.manifestSha256)
  writeFileSync(index, JSON.stringify({ weight_map: { a: '../../secret.safetensors' } }))
  await t.rejects(convert(t, dir), { code: 'model_invalid', message: /not a file of the folder/ })
})

function splitInTwo<T>(items: readonly T[]): [T[], T[]] {
  return [items.slice(0, 20), items.slice(20)]
}

const encodings = [
  {
    encoding: 'Q4_0',
    layer: ['qkv q4 128×64/32', 'gate_up q4 192×64/32', 'down q4 64×96/32'],
    embedding: 'q4 300×64/32'
  },
  {
    encoding: 'Q4_1',
    layer: ['qkv q4 128×64/32 corrected', 'gate_up q4 192×64/32 corrected', 'down q4 64×96/32 corrected'],
    embedding: 'f32 300×64'
  },
  {
    encoding: 'Q8_0',
    layer: ['qkv q8 128×64/32', 'gate_up q8 192×64/32', 'down q8 64×96/32'],
    embedding: 'q8 300×64/32'
  },
  { encoding: 'F32', layer: ['qkv f32 64×128', 'gate_up f32 64×192', 'down f32 96×64'], embedding: 'f32 300×64' }
] as const

for (const { encoding, layer, embedding } of encodings) {
  t.test(`${encoding} keeps its precision, and every extent is aligned and inside its file`, async t => {
    const { manifest, store } = await convertGguf(t, randomGguf({ shape: TINY_SHAPE, seed: 3, encoding }))
    const matrices = manifest.layers[1]?.tensors.filter(({ name }) => ['qkv', 'gate_up', 'down'].includes(name)) ?? []
    t.same(matrices.map(describe), layer)
    t.same(manifest.embedding.tensors.map(describe), [`embedding ${embedding}`])
    t.match(manifest.head.tensors.map(describe)[1], /^head (f32 300×64|q[48] 300×64\/32)/)
    for (const file of filesOf(manifest)) await checkExtents(t, store, file)
  })
}

async function checkExtents(t: Test, store: FileBlobStore, file: WeightFile): Promise<void> {
  t.equal((await store.read(file.sha256)).byteLength, file.bytes)
  let end = 0
  for (const tensor of file.tensors) {
    const extents = 'rows' in tensor ? [tensor.data, tensor.scales, tensor.zeroPoints] : [tensor.data]
    for (const extent of extents) {
      if (extent === undefined) continue
      t.equal(extent.offset, Math.ceil(end / TENSOR_ALIGNMENT_BYTES) * TENSOR_ALIGNMENT_BYTES)
      end = extent.offset + extent.bytes
    }
  }
  t.equal(end, file.bytes)
}

t.test('matrices of different formats stay apart, tables that are only looked up stay 16 bit', async t => {
  const mixed = withTensor(tinyGguf(), 'blk.0.attn_v.weight', tensor => [
    floatTensor(tensor.name, [64, 32], new Array(64 * 32).fill(0.5))
  ])
  const content = withTensor(mixed, 'token_embd.weight', tensor => [
    { ...tensor, encoding: 'F16', chunks: () => [new Uint8Array(300 * 64 * 2)] }
  ])
  const { manifest } = await convertGguf(t, content)
  t.same(manifest.layers[0]?.tensors.map(describe).slice(1, 4), ['q q4 64×64/32', 'k q4 32×64/32', 'v f32 64×32'])
  t.same(manifest.layers[1]?.tensors.map(describe)[1], 'qkv q4 128×64/32')
  t.same(manifest.embedding.tensors.map(describe), ['embedding f16 300×64'])
})

t.test('dequantized, every matrix is f32', async t => {
  const { manifest } = await convertGguf(t, tinyGguf(), { dequantize: true })
  t.ok(filesOf(manifest).every(file => file.tensors.every(tensor => tensor.encoding === 'f32')))
})

t.test('the same seed writes the same file', async t => {
  const dir = t.testdir()
  const write = (name: string, seed: number) =>
    writeRandomGguf(join(dir, name), { shape: TINY_SHAPE, seed, encoding: 'Q4_0' })
  await Promise.all([write('a', 1), write('b', 1), write('c', 2)])
  t.same(readdirSync(dir).sort(), ['a', 'b', 'c'])
  t.ok(readFileSync(join(dir, 'a')).equals(readFileSync(join(dir, 'b'))))
  t.notOk(readFileSync(join(dir, 'a')).equals(readFileSync(join(dir, 'c'))))
  const controller = new AbortController()
  const aborted = writeRandomGguf(join(dir, 'd'), {
    shape: TINY_SHAPE,
    seed: 1,
    encoding: 'Q8_0',
    signal: controller.signal,
    onProgress: () => controller.abort()
  })
  await t.rejects(aborted, { code: 'canceled' })
  t.same(readdirSync(dir).sort(), ['a', 'b', 'c'], 'nothing of a broken write stays')
})

t.test('an aborted conversion leaves no half blob', async t => {
  const dir = join(t.testdir(), 'store')
  await using store = await FileBlobStore.open(dir)
  const controller = new AbortController()
  const aborted = convertModel(TINY_CHAT, {
    store,
    name: 'test',
    tokenizerFiles,
    signal: controller.signal,
    onProgress: () => controller.abort()
  })
  await t.rejects(aborted, { code: 'canceled' })
  t.same(readdirSync(join(dir, 'partial')), [])
  await t.rejects(convertModel(TINY_CHAT, { store, name: 'test', tokenizerFiles, signal: controller.signal }), {
    code: 'canceled'
  })
})

const change = (name: string, shape: number[]) =>
  withTensor(tinyGguf(), name, tensor => [
    floatTensor(tensor.name, shape, new Array((shape[0] ?? 0) * (shape[1] ?? 1)).fill(0))
  ])
const refused: { id: string; content: GgufContent; message: RegExp }[] = [
  {
    id: 'a missing tensor',
    content: withTensor(tinyGguf(), 'blk.1.ffn_up.weight', () => []),
    message: /"blk\.1\.ffn_up\.weight" is missing/
  },
  {
    id: 'a wrong shape',
    content: change('blk.0.attn_k.weight', [64, 64]),
    message: /attn_k.weight" is 64 × 64, .* 32 × 64/
  },
  {
    id: 'a wrong norm',
    content: change('output_norm.weight', [32]),
    message: /"output_norm.weight" is 1 × 32, .* 1 × 64/
  },
  {
    id: 'an attention bias',
    content: withTensor(tinyGguf(), 'output_norm.weight', tensor => [
      tensor,
      floatTensor('blk.0.attn_q.bias', [64], new Array(64).fill(1))
    ]),
    message: /"blk\.0\.attn_q\.bias" has no place in the Llama architecture/
  },
  {
    id: 'a tensor of three dimensions',
    content: withTensor(tinyGguf(), 'blk.0.attn_q.weight', ({ name }) => [
      floatTensor(name, [64, 32, 2], new Array(4096).fill(0))
    ]),
    message: /\[64, 32, 2\], not that of a matrix/
  },
  {
    id: 'more layers than there are',
    content: withMetadata(tinyGguf(), { 'llama.block_count': { type: 'u32', value: 3 } }),
    message: /"blk\.2\.attn_norm\.weight" is missing/
  },
  {
    id: 'fewer layers than there are',
    content: withMetadata(tinyGguf(), { 'llama.block_count': { type: 'u32', value: 1 } }),
    message: /"blk\.1\.\w+\.weight" has no place/
  }
]
for (const { id, content, message } of refused) {
  t.test(`refuses ${id}`, async t => {
    await t.rejects(convertGguf(t, content), { code: 'model_invalid', message, hint: /./ })
  })
}

t.test('refuses what is not there or damaged, naming the file', async t => {
  const dir = t.testdir()
  await t.rejects(convert(t, join(dir, 'nothing')), { code: 'model_not_found', message: /nothing/ })
  await t.rejects(convert(t, dir), { code: 'model_not_found', message: /config\.json/ })
  cpSync(TINY_CHAT, join(dir, 'cut'), { recursive: true })
  truncateSync(join(dir, 'cut', 'model.safetensors'), 100_000)
  await t.rejects(convert(t, join(dir, 'cut')), { code: 'model_invalid', message: /cut.model\.safetensors: tensor "/ })
  rmSync(join(dir, 'cut', 'model.safetensors'))
  await t.rejects(convert(t, join(dir, 'cut')), { code: 'model_invalid', message: /model\.safetensors/ })
})
