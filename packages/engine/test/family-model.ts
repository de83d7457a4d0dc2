import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type GgufContent, type GgufEntry, type GgufTensorContent, writeGguf } from '@resultity/formats'
import { q8Blocks } from './q8-blocks.ts'

const fixtures = join(import.meta.dirname, '../../test/fixtures/families')

/** A tiny model of the reference implementation: its README tells the format. */
export interface FamilyModel {
  readonly name: string
  /** Version of the reference implementation. */
  readonly transformers: string
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: readonly TensorFacts[]
  readonly prompts: readonly (readonly number[])[]
  readonly gguf?: GgufFacts
  /** Logits of every position of each prompt, `[positions, vocabulary]`. */
  readonly logits: readonly Float32Array[]
}

interface TensorFacts {
  readonly name: string
  readonly shape: readonly number[]
  readonly mean: number
  readonly spread: number
}

interface GgufFacts {
  readonly architecture: string
  readonly metadata: Readonly<Record<string, number | string>>
  /** llama.cpp's names by those of transformers. */
  readonly names: Readonly<Record<string, string>>
  readonly vectors: Readonly<Record<string, readonly number[]>>
  readonly interleaved: boolean
  readonly normOffset: number
}

/** The models of which facts are committed. */
export async function tinyFamilyNames(): Promise<string[]> {
  const names = (await readdir(fixtures)).filter(name => name.endsWith('.json'))
  return names.map(name => name.replace('.json', '')).toSorted()
}

/** Reads the committed facts and logits of a model. */
export async function readFamilyModel(name: string): Promise<FamilyModel> {
  const facts = JSON.parse(await readFile(join(fixtures, `${name}.json`), 'utf8'))
  const all = new Float32Array(new Uint8Array(await readFile(join(fixtures, `${name}.f32`))).buffer)
  // where a model takes images, what is said of its text stands apart
  const { vocab_size: width } = facts.config.text_config ?? facts.config
  let end = 0
  const logits = facts.prompts.map((prompt: number[]) => {
    const start = end
    end += prompt.length * width
    return all.subarray(start, end)
  })
  return { name, ...facts, logits }
}

/** Writes the model as transformers saves it. */
export async function writeFolder(model: FamilyModel, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true })
  const header: Record<string, unknown> = {}
  const parts: Uint8Array[] = []
  let end = 0
  for (const [index, { name, shape }] of model.tensors.entries()) {
    const bytes = bytesOf(valuesOf(model, index))
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + bytes.byteLength] }
    parts.push(bytes)
    end += bytes.byteLength
  }
  const text = new TextEncoder().encode(JSON.stringify(header))
  const length = new Uint8Array(BigUint64Array.of(BigInt(text.byteLength)).buffer)
  await writeFile(join(directory, 'model.safetensors'), Buffer.concat([length, text, ...parts]))
  await writeFile(join(directory, 'config.json'), JSON.stringify(model.config))
  return directory
}

/** Writes the model as llama.cpp's converter does, its matrices in `encoding`. */
export async function writeFamilyGguf(
  model: FamilyModel,
  path: string,
  encoding: 'F32' | 'Q8_0' = 'F32'
): Promise<string> {
  const { gguf } = model
  if (gguf === undefined) throw new Error(`${model.name} has no GGUF`)
  const tensors = model.tensors.map(({ name }, index): GgufTensorContent => {
    const shape = model.tensors[index]?.shape ?? []
    const own = gguf.names[name] ?? name
    const isNorm = own.includes('norm')
    const values = valuesOf(model, index).map(value => value + (isNorm ? gguf.normOffset : 0))
    const ordered =
      gguf.interleaved && /attn_[qk]\.weight/.test(own) ? interleave(values, shape, headDimOf(model)) : values
    const stored = shape.length === 2 && encoding === 'Q8_0' ? q8Blocks(ordered) : bytesOf(ordered)
    return {
      name: own,
      encoding: shape.length === 2 ? encoding : 'F32',
      shape: shape.toReversed(),
      chunks: () => [stored]
    }
  })
  const vectors = Object.entries(gguf.vectors).map(([name, values]): GgufTensorContent => {
    return { name, encoding: 'F32', shape: [values.length], chunks: () => [bytesOf(Float32Array.from(values))] }
  })
  const content: GgufContent = {
    metadata: {
      'general.architecture': { type: 'string', value: gguf.architecture },
      ...Object.fromEntries(Object.entries(gguf.metadata).map(([key, value]) => [key, entryOf(key, value)]))
    },
    tensors: [...tensors, ...vectors]
  }
  await writeGguf(path, content)
  return path
}

function entryOf(key: string, value: number | string): GgufEntry {
  if (typeof value === 'string') return { type: 'string', value }
  const real = /freq_base|epsilon|factor|softcapping/.test(key)
  return { type: real ? 'f32' : 'u32', value }
}

function headDimOf({ config }: FamilyModel): number {
  const { head_dim: headDim, hidden_size: hiddenSize, num_attention_heads: headCount } = config
  return Number(headDim ?? Number(hiddenSize) / Number(headCount))
}

/** The rows of each head from (half, pair) to (pair, half). */
function interleave(
  values: Float32Array,
  [rows = 0, columns = 0]: readonly number[],
  headDim: number
): Float32Array<ArrayBuffer> {
  const target = new Float32Array(values.length)
  const half = headDim / 2
  for (let row = 0; row < rows; row++) {
    const inHead = row % headDim
    const to = row - inHead + 2 * (inHead % half) + Math.floor(inHead / half)
    target.set(values.subarray(row * columns, (row + 1) * columns), to * columns)
  }
  return target
}

/** The numbers of a tensor, by its place in the list. */
function valuesOf({ tensors }: FamilyModel, index: number): Float32Array<ArrayBuffer> {
  const { shape, mean, spread } = tensors[index] ?? { shape: [], mean: 0, spread: 0 }
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1))
  const seed = Math.imul(index, 2_654_435_769)
  for (let i = 0; i < values.length; i++)
    values[i] = mean + spread * (murmurFinalizer((seed + i) >>> 0) / 2 ** 32 - 0.5)
  return values
}

function murmurFinalizer(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function bytesOf(values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
