import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describeIssues, isLfsPointer, lfsPointerError, MeshError, modelInvalid, safeParse } from '@resultity/interface'
import { z } from 'zod'
import { type ByteSource, openFileSource } from './byte-source.ts'
import { parseSafetensors, type SafetensorsEntry } from './safetensors.ts'
import { chooseWeights, SHARDS_MAX, WEIGHTS_INDEX, WHOLE_WEIGHTS } from './weight-choice.ts'
import type { SourceTensor } from './weights/source-tensor.ts'
import type { NamedTensors } from './weights/tensor-finder.ts'

const JSON_BYTES_MAX = 64 * 1024 * 1024

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

/** Tensors of a folder, and what closes its files. */
export interface OpenTensors {
  readonly tensors: NamedTensors
  dispose(): void
}

/** What models count or mask with, and not what they multiply by. */
const WHOLE_NUMBERS: ReadonlySet<string> = new Set('BOOL U8 I8 U16 I16 U32 I32 U64 I64'.split(' '))

/** Weight files that are not in the folder they belong to. */
export interface WeightsElsewhere {
  /** Those of the folder, beside what is in it. */
  readonly names: readonly string[]
  open(name: string): ByteSource
}

export interface SafetensorsFolderInit {
  /** Names of tensors that are passed over. */
  readonly ignored?: RegExp | undefined
  /** Default: all files are in the folder. */
  readonly elsewhere?: WeightsElsewhere | undefined
}

/**
 * Opens the safetensors files of a folder. The caller disposes of them.
 *
 * @throws MeshError `model_invalid` for a damaged file, or saying what the folder has instead
 */
export function openSafetensorsFolder(directory: string, init: SafetensorsFolderInit = {}): OpenTensors {
  const { ignored, elsewhere } = init
  const open = (name: string): ByteSource =>
    elsewhere?.names.includes(name) === true ? elsewhere.open(name) : openFileSource(join(directory, name))
  return openTogether(weightNames(directory, elsewhere?.names), open, ignored)
}

/**
 * Opens safetensors files as one. The caller disposes of them.
 *
 * @throws MeshError `model_invalid` for a damaged file
 */
export function openSafetensorsFiles(paths: readonly string[]): OpenTensors {
  return openTogether(paths, openFileSource)
}

function openTogether(names: readonly string[], open: (name: string) => ByteSource, ignored?: RegExp): OpenTensors {
  const files: ByteSource[] = []
  const dispose = (): void => {
    for (const file of files) file[Symbol.dispose]()
  }
  return disposeOnError(dispose, () => {
    const tensors = new Map<string, { readonly file: ByteSource; readonly entry: SafetensorsEntry }>()
    for (const name of names) {
      const file = open(name)
      files.push(file)
      for (const [name, entry] of parseSafetensors(file, ignored)) tensors.set(name, { file, entry })
    }
    const weights = [...tensors].filter(([, { entry }]) => !WHOLE_NUMBERS.has(entry.dtype))
    const get = (name: string): SourceTensor | undefined => {
      const found = tensors.get(name)
      return found && sourceTensor(found.file, name, found.entry)
    }
    return { tensors: { names: weights.map(([name]) => name), get }, dispose }
  })
}

/** What `work` gives; where it throws, after `dispose`. */
export function disposeOnError<T>(dispose: () => void, work: () => T): T {
  try {
    return work()
  } catch (error) {
    dispose()
    throw error
  }
}

/** The weight files of the folder. @throws MeshError `model_invalid` saying what it has instead */
function weightNames(directory: string, elsewhere: readonly string[] = []): readonly string[] {
  const names = [...readdirSync(directory), ...elsewhere]
  // transformers looks for the whole file first: beside it, an index is of something else
  const indexed = !names.includes(WHOLE_WEIGHTS) && names.includes(WEIGHTS_INDEX)
  const choice = chooseWeights(names, indexed ? readIndex(directory, names) : undefined)
  if ('problem' in choice) throw modelInvalid(directory, choice.problem, choice.hint)
  return choice.files
}

/** The files that the index names; undefined when it cannot be read and the shards do without it. */
function readIndex(directory: string, names: readonly string[]): string[] | undefined {
  const path = join(directory, WEIGHTS_INDEX)
  let json: unknown
  try {
    json = JSON.parse(readFolderText(path))
  } catch (error) {
    if ('files' in chooseWeights(names)) return undefined
    throw error instanceof MeshError ? error : modelInvalid(path, 'not JSON')
  }
  const parsed = safeParse(indexSchema, json)
  if (!parsed.success) throw modelInvalid(path, describeIssues(parsed.error, json))
  const shards = [...new Set(Object.values(parsed.data.weight_map))].sort()
  if (shards.length === 0 || shards.length > SHARDS_MAX) throw modelInvalid(path, `names ${shards.length} files`)
  const outside = shards.find(shard => shard !== basename(shard) || shard.startsWith('.'))
  if (outside !== undefined) throw modelInvalid(path, `names "${outside}", which is not a file of the folder`)
  return shards
}

/** A text of a model folder; undefined where it has none. */
export function readOptionalFolderText(path: string): string | undefined {
  return existsSync(path) ? readFolderText(path) : undefined
}

/** @throws MeshError `model_not_found`, `model_invalid` when it is too large or stands for another file */
export function readFolderText(path: string): string {
  try {
    const { size } = statSync(path)
    if (size > JSON_BYTES_MAX) throw modelInvalid(path, `has ${size} bytes, over the limit of ${JSON_BYTES_MAX}`)
    const bytes = readFileSync(path)
    if (isLfsPointer(bytes)) throw lfsPointerError(path)
    // drops the mark that some editors put before a text
    return new TextDecoder().decode(bytes)
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
  { dtype, shape, encoding, offset, bytes }: SafetensorsEntry
): SourceTensor {
  if (encoding === undefined) {
    throw modelInvalid(
      file.name,
      `tensor "${name}" is stored as ${dtype}; supported are F32, F16 and BF16`,
      'Use a version of the model in one of these, or a GGUF version.'
    )
  }
  const columns = shape.at(-1) ?? 1
  const rows = shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1)
  const rowBytes = rows === 0 ? 0 : bytes / rows
  return {
    name,
    encoding,
    rows,
    columns,
    rowBytes,
    extent: { file: file.name, offset, bytes },
    read: (first, count) => file.read(offset + first * rowBytes, count * rowBytes)
  }
}
