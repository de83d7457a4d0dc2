import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describeIssues, MeshError } from '@resultity/interface'
import { z } from 'zod'
import { type ByteSource, openFileSource } from '../formats/byte-source.ts'
import { parseSafetensors, type SafetensorsEntry } from '../formats/safetensors.ts'
import { modelInvalid } from '../model-invalid.ts'
import { encoderConfigFromDirectory } from './bert-config.ts'
import { BertTensors, NOT_WEIGHTS } from './bert-tensors.ts'
import { modelConfigFromJson } from './config.ts'
import { LlamaTensors, type TensorNaming } from './llama-tensors.ts'
import type { EncoderSource, LayerTensorName, ModelSource, SourceTensor } from './model-source.ts'
import type { NamedTensors } from './tensor-finder.ts'

const layerNames: Readonly<Record<LayerTensorName, string>> = {
  input_norm: 'input_layernorm',
  q: 'self_attn.q_proj',
  k: 'self_attn.k_proj',
  v: 'self_attn.v_proj',
  output: 'self_attn.o_proj',
  post_norm: 'post_attention_layernorm',
  gate: 'mlp.gate_proj',
  up: 'mlp.up_proj',
  down: 'mlp.down_proj'
}

const naming: TensorNaming = {
  embedding: 'model.embed_tokens.weight',
  finalNorm: 'model.norm.weight',
  head: 'lm_head.weight',
  layer: (index, name) => `model.layers.${index}.${layerNames[name]}.weight`,
  // tables of the rotary embedding, which old checkpoints carry along
  ignored: /\.rotary_emb\.(inv_freq|cos_cached|sin_cached)$/
}

const WEIGHTS = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'
/** A 405 B model in bf16 has 191 shards. */
const SHARDS_MAX = 1024
const JSON_BYTES_MAX = 64 * 1024 * 1024

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

/** Opens a folder in the Hugging Face layout as a Llama. The caller disposes it. */
export function openSafetensorsDirectory(directory: string): ModelSource {
  const configPath = join(directory, 'config.json')
  const config = modelConfigFromJson(configPath, readText(configPath))
  const { tensors, dispose } = openTensors(directory)
  return disposeOnError(dispose, () => {
    const found = new LlamaTensors(directory, config, tensors, naming).collect()
    return { config, ...found, [Symbol.dispose]: dispose }
  })
}

/** Opens a folder in the layout of sentence-transformers as a BERT. The caller disposes it. */
export function openEncoderDirectory(directory: string): EncoderSource {
  const config = encoderConfigFromDirectory(directory, name => readOptionalText(join(directory, name)))
  const { tensors, dispose } = openTensors(directory, NOT_WEIGHTS)
  return disposeOnError(dispose, () => {
    const found = new BertTensors(directory, config, tensors).collect()
    return { config, ...found, [Symbol.dispose]: dispose }
  })
}

/** The `model_type` of a folder's `config.json`; undefined where there is none. */
export function modelTypeOf(directory: string): string | undefined {
  const text = readOptionalText(join(directory, 'config.json'))
  if (text === undefined) return undefined
  try {
    return z.looseObject({ model_type: z.string() }).safeParse(JSON.parse(text)).data?.model_type
  } catch {
    // whoever reads the whole file says what is wrong with it
    return undefined
  }
}

interface OpenTensors {
  readonly tensors: NamedTensors
  dispose(): void
}

function openTensors(directory: string, ignored?: RegExp): OpenTensors {
  const files: ByteSource[] = []
  const dispose = (): void => {
    for (const file of files) file[Symbol.dispose]()
  }
  return disposeOnError(dispose, () => {
    const tensors = new Map<string, SourceTensor>()
    for (const path of shardPaths(directory)) {
      const file = openFileSource(path)
      files.push(file)
      for (const [name, entry] of parseSafetensors(file, ignored)) tensors.set(name, sourceTensor(file, name, entry))
    }
    return { tensors: { names: [...tensors.keys()], get: name => tensors.get(name) }, dispose }
  })
}

function disposeOnError<T>(dispose: () => void, work: () => T): T {
  try {
    return work()
  } catch (error) {
    dispose()
    throw error
  }
}

/** The weight files of the folder: one, or those that the index names. */
function shardPaths(directory: string): string[] {
  const indexPath = join(directory, INDEX)
  if (!existsSync(indexPath)) return [join(directory, WEIGHTS)]
  let json: unknown
  try {
    json = JSON.parse(readText(indexPath))
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw modelInvalid(indexPath, 'not JSON')
  }
  const parsed = indexSchema.safeParse(json)
  if (!parsed.success) throw modelInvalid(indexPath, describeIssues(parsed.error, json))
  const shards = [...new Set(Object.values(parsed.data.weight_map))].sort()
  if (shards.length === 0 || shards.length > SHARDS_MAX) throw modelInvalid(indexPath, `names ${shards.length} files`)
  const outside = shards.find(shard => shard !== basename(shard) || shard.startsWith('.'))
  if (outside !== undefined) throw modelInvalid(indexPath, `names "${outside}", which is not a file of the folder`)
  return shards.map(shard => join(directory, shard))
}

function readOptionalText(path: string): string | undefined {
  return existsSync(path) ? readText(path) : undefined
}

function readText(path: string): string {
  try {
    const { size } = statSync(path)
    if (size > JSON_BYTES_MAX) throw modelInvalid(path, `has ${size} bytes, over the limit of ${JSON_BYTES_MAX}`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw new MeshError('model_not_found', `cannot read ${path}`, {
      hint: 'a model folder holds config.json and model.safetensors (or its index and shards)',
      cause: error
    })
  }
}

function sourceTensor(
  file: ByteSource,
  name: string,
  { shape, encoding, offset, bytes }: SafetensorsEntry
): SourceTensor {
  const columns = shape.at(-1) ?? 1
  const rows = shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1)
  const rowBytes = bytes / rows
  return {
    name,
    encoding,
    rows,
    columns,
    rowBytes,
    read: (first, count) => file.read(offset + first * rowBytes, count * rowBytes)
  }
}
