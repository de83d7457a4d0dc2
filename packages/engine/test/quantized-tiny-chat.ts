import { createHash } from 'node:crypto'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type DecoderManifest, TENSOR_ALIGNMENT_BYTES, type TensorEntry, type WeightFile } from '@resultity/interface'
import type { Fixture } from './tiny-chat.ts'

/** How the matrices of a variant are stored. Every variant has the values of its own `f32` twin. */
export type Encoding = 'q4' | 'q8' | 'f16' | 'bf16'

export interface Variant {
  readonly manifest: DecoderManifest
  weightPath(file: WeightFile): string
}

const BLOCK = 32

/** Collects tensors into one weight file. */
class FileBuilder {
  readonly #parts: { readonly offset: number; readonly bytes: Uint8Array }[] = []
  readonly tensors: TensorEntry[] = []
  #end = 0

  put(values: ArrayBufferView): { offset: number; bytes: number } {
    const offset = Math.ceil(this.#end / TENSOR_ALIGNMENT_BYTES) * TENSOR_ALIGNMENT_BYTES
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    this.#parts.push({ offset, bytes })
    this.#end = offset + bytes.length
    return { offset, bytes: bytes.length }
  }

  async write(directory: string): Promise<WeightFile> {
    const content = new Uint8Array(this.#end)
    for (const { offset, bytes } of this.#parts) content.set(bytes, offset)
    const sha256 = createHash('sha256').update(content).digest('hex')
    await writeFile(join(directory, sha256), content)
    return { sha256, bytes: content.length, tensors: this.tensors }
  }
}

/** A matrix `[rows, columns]` of outputs by inputs. */
interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly values: Float32Array
}

/**
 * tiny-chat with its matrices in another encoding, and the same rounded values in f32: what differs between the two is
 * the encoding alone.
 *
 * @param split stores q, k, v and gate, up apart
 */
export async function encodeTinyChat(
  fixture: Fixture,
  encoding: Encoding,
  options: { readonly split?: boolean; readonly untied?: boolean } = {}
): Promise<{ encoded: Variant; plain: Variant }> {
  const encoded = await mkdtemp(join(fixture.workDir, '..', 'encoded-'))
  const plain = await mkdtemp(join(fixture.workDir, '..', 'plain-'))
  const convert = async (file: WeightFile, extra: string[] = []): Promise<[WeightFile, WeightFile]> => {
    const content = await readFile(fixture.weightPath(file))
    const builders = [new FileBuilder(), new FileBuilder()] as const
    for (const tensor of [...file.tensors, ...extra.map(name => ({ ...embeddingOf(fixture), name }))]) {
      if ('scales' in tensor) throw new Error('tiny-chat is not quantized')
      const source = extra.includes(tensor.name)
        ? await readFile(fixture.weightPath(fixture.manifest.embedding))
        : content
      for (const [name, matrix] of matricesOf(fixture, tensor, floatsOf(source, tensor.data), options.split ?? false)) {
        store(builders, name, matrix, encoding)
      }
    }
    return [await builders[0].write(encoded), await builders[1].write(plain)]
  }
  const { manifest } = fixture
  const embedding = await convert(manifest.embedding)
  const layers = await Promise.all(manifest.layers.map(file => convert(file)))
  const head = await convert(manifest.head, options.untied === true ? ['head'] : [])
  const config = { ...manifest.config, tiedEmbedding: options.untied !== true }
  const variant = (index: 0 | 1, directory: string): Variant => ({
    manifest: {
      ...manifest,
      config,
      embedding: embedding[index],
      layers: layers.map(pair => pair[index]),
      head: head[index]
    },
    weightPath: file => join(directory, file.sha256)
  })
  return { encoded: variant(0, encoded), plain: variant(1, plain) }
}

function embeddingOf(fixture: Fixture): TensorEntry {
  const [tensor] = fixture.manifest.embedding.tensors
  if (tensor === undefined) throw new Error('tiny-chat has an embedding')
  return tensor
}

function floatsOf(content: Uint8Array, extent: { offset: number; bytes: number }): Float32Array {
  return new Float32Array(new Uint8Array(content.subarray(extent.offset, extent.offset + extent.bytes)).buffer)
}

/** A stored tensor as vectors and matrices `[out, in]`, split where asked. */
function matricesOf(
  fixture: Fixture,
  tensor: { readonly name: string; readonly shape?: readonly number[] },
  values: Float32Array,
  split: boolean
): [string, Matrix | Float32Array][] {
  const { name, shape = [] } = tensor
  const [outer = 0, inner] = shape
  if (inner === undefined) return [[name, values]]
  if (name === 'embedding' || name === 'head') return [[name, { rows: outer, columns: inner, values }]]
  const matrix = transpose({ rows: outer, columns: inner, values })
  const { headDim, headCount, kvHeadCount, intermediateSize } = fixture.manifest.config
  const kv = kvHeadCount * headDim
  if (split && name === 'qkv') return splitRows(matrix, { q: headCount * headDim, k: kv, v: kv })
  if (split && name === 'gate_up') return splitRows(matrix, { gate: intermediateSize, up: intermediateSize })
  return [[name, matrix]]
}

function transpose({ rows, columns, values }: Matrix): Matrix {
  const target = new Float32Array(values.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      target[column * rows + row] = values[row * columns + column] ?? 0
    }
  }
  return { rows: columns, columns: rows, values: target }
}

function splitRows({ columns, values }: Matrix, parts: Readonly<Record<string, number>>): [string, Matrix][] {
  let first = 0
  return Object.entries(parts).map(([name, rows]) => {
    const part = { rows, columns, values: values.slice(first * columns, (first + rows) * columns) }
    first += rows
    return [name, part]
  })
}

/** Puts a tensor encoded into the first file, and what it then stands for, in f32, into the second. */
function store(
  [encoded, plain]: readonly [FileBuilder, FileBuilder],
  name: string,
  tensor: Matrix | Float32Array,
  encoding: Encoding
): void {
  if (tensor instanceof Float32Array) {
    for (const builder of [encoded, plain]) {
      builder.tensors.push({ name, encoding: 'f32', shape: [tensor.length], data: builder.put(tensor) })
    }
    return
  }
  const table = name === 'embedding' || name === 'head'
  const rounded =
    encoding === 'f16' || encoding === 'bf16'
      ? storeHalf(encoded, name, tensor, encoding, table)
      : storeQuantized(encoded, name, tensor, encoding)
  const matrix = table ? rounded : transpose(rounded)
  plain.tensors.push({ name, encoding: 'f32', shape: [matrix.rows, matrix.columns], data: plain.put(matrix.values) })
}

function storeHalf(
  builder: FileBuilder,
  name: string,
  tensor: Matrix,
  encoding: 'f16' | 'bf16',
  table: boolean
): Matrix {
  const matrix = table ? tensor : transpose(tensor)
  const shape = [matrix.rows, matrix.columns]
  if (encoding === 'f16') {
    const half = Float16Array.from(matrix.values)
    builder.tensors.push({ name, encoding, shape, data: builder.put(half) })
    return { ...tensor, values: Float32Array.from(Float16Array.from(tensor.values)) }
  }
  const truncated = (values: Float32Array): Uint32Array =>
    new Uint32Array(values.slice().buffer).map(bits => bits & 0xffff_0000)
  const half = Uint16Array.from(truncated(matrix.values), bits => bits >>> 16)
  builder.tensors.push({ name, encoding, shape, data: builder.put(half) })
  return { ...tensor, values: new Float32Array(truncated(tensor.values).buffer) }
}

function storeQuantized(
  builder: FileBuilder,
  name: string,
  { rows, columns, values }: Matrix,
  encoding: 'q4' | 'q8'
): Matrix {
  const bits = encoding === 'q8' ? 8 : 4
  const zero = 2 ** (bits - 1)
  const blocks = columns / BLOCK
  const scales = new Float32Array(rows * blocks)
  const codes = new Uint8Array((values.length * bits) / 8)
  const rounded = new Float32Array(values.length)
  for (let block = 0; block < rows * blocks; block++) {
    const part = values.subarray(block * BLOCK, (block + 1) * BLOCK)
    const scale = Math.fround(Math.max(...part.map(value => Math.abs(value))) / (zero - 1))
    scales[block] = scale
    for (const [index, value] of part.entries()) {
      const code = Math.round(value / scale) + zero
      const at = block * BLOCK + index
      rounded[at] = scale * (code - zero)
      if (bits === 8) codes[at] = code
      else codes[at >> 1] = (codes[at >> 1] ?? 0) | (code << (4 * (at & 1)))
    }
  }
  builder.tensors.push({
    name,
    encoding: bits === 8 ? 'q8' : 'q4',
    rows,
    columns,
    blockSize: BLOCK,
    data: builder.put(codes),
    scales: builder.put(scales)
  })
  return { rows, columns, values: rounded }
}
