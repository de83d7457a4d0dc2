import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Family, families } from '@resultity/families'
import t from 'tap'
import { openSafetensorsDirectory } from '../src/import/safetensors-source.ts'
import { planWeightFiles } from '../src/import/weight-file.ts'
import { safetensorsBytes } from './tiny-models.ts'

const page = join(import.meta.dirname, '../../../../docs/families.md')

/** Any numbers, other ones in each place. */
function numbers(seed: number, count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, index) => Math.sin(seed * 1000 + index))
}

/** A folder with tensors of these shapes, the n-th with the n-th numbers. */
function writeModel(directory: string, config: object, shapes: readonly (readonly [string, number, number])[]): string {
  mkdirSync(directory)
  const header: Record<string, unknown> = {}
  const parts: Uint8Array[] = []
  let end = 0
  for (const [index, [name, rows, columns]] of shapes.entries()) {
    const bytes = new Uint8Array(numbers(index, rows * columns).buffer)
    const shape = rows === 1 ? [columns] : [rows, columns]
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + bytes.byteLength] }
    parts.push(bytes)
    end += bytes.byteLength
  }
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
  writeFileSync(join(directory, 'model.safetensors'), safetensorsBytes(header, Buffer.concat(parts)))
  return directory
}

/** Everything that decides what a model computes. */
function converted(directory: string, known: readonly Family[]) {
  using source = openSafetensorsDirectory(directory, { families: known })
  const { embedding, layers, head } = planWeightFiles(source, { dequantize: false })
  const files = [embedding, ...layers, head].map(({ layout, chunks }) => ({
    layout,
    data: Buffer.concat([...chunks()])
  }))
  return { config: source.config, files }
}

const { width, headDim, feedForward, words } = { width: 64, headDim: 16, feedForward: 96, words: 80 }
const packed = (4 + 2 + 2) * headDim

t.test('the family that docs/families.md makes up is one record, and converts', async t => {
  const code = /```ts\n([\s\S]*?)```/.exec(readFileSync(page, 'utf8'))?.[1] ?? ''
  const directory = join(import.meta.dirname, 'made-up')
  mkdirSync(directory, { recursive: true })
  const record = join(directory, 'aster.ts')
  writeFileSync(record, code)
  const { aster }: { aster: Family } = await import(pathToFileURL(record).href)

  const config = {
    model_type: 'aster',
    architectures: ['AsterForCausalLM'],
    width,
    blocks: 2,
    query_heads: 4,
    shared_heads: 2,
    head_width: headDim,
    feed_forward_width: feedForward,
    words,
    positions: 128
  }
  const layer = (index: number) =>
    [
      [`blocks.${index}.input_layernorm.weight`, 1, width],
      [`blocks.${index}.attention.packed.weight`, packed, width],
      [`blocks.${index}.attention.query_norm.weight`, 1, headDim],
      [`blocks.${index}.attention.key_norm.weight`, 1, headDim],
      [`blocks.${index}.self_attn.o_proj.weight`, width, 4 * headDim],
      [`blocks.${index}.post_attention_layernorm.weight`, 1, width],
      [`blocks.${index}.mlp.gate_proj.weight`, feedForward, width],
      [`blocks.${index}.mlp.up_proj.weight`, feedForward, width],
      [`blocks.${index}.mlp.down_proj.weight`, width, feedForward]
    ] as const
  const shapes = [
    ['words.weight', words, width],
    ...layer(0),
    ...layer(1),
    ['norm.weight', 1, width],
    ['scores.weight', words, width]
  ] as const
  const folder = writeModel(join(t.testdir(), 'aster'), config, shapes)
  const { config: described, files } = converted(folder, [...families, aster])
  t.match(described, { layerCount: 2, headDim, kvHeadCount: 2, contextLength: 128, traits: { headNorms: true } })
  t.equal(files.length, 4)
  const names = files[1]?.layout.tensors.map(({ name }) => name)
  t.same(names, ['input_norm', 'qkv', 'q_norm', 'k_norm', 'output', 'post_norm', 'gate_up', 'down'])

  const floats = (name: string): Float32Array => {
    const extent = files[1]?.layout.tensors.find(tensor => tensor.name === name)?.data ?? { offset: 0, bytes: 0 }
    return new Float32Array(
      new Uint8Array(files[1]?.data.subarray(extent.offset, extent.offset + extent.bytes) ?? []).buffer
    )
  }
  t.same(floats('q_norm'), numbers(3, headDim))
  const rows = numbers(2, packed * width)
  t.equal(floats('qkv')[5 * packed + 100], rows[100 * width + 5], 'stored as inputs × outputs, the rows in their order')

  t.throws(() => openSafetensorsDirectory(folder), {
    code: 'model_invalid',
    message: /architecture "aster" is not supported/,
    hint: /Qwen 3.*docs\/families\.md/
  })
})
