import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import {
  type ByteSource,
  checkGgufPart,
  type GgufHeader,
  type GgufMetadata,
  type GgufTensor,
  ggufFilesOf,
  openFileSource,
  parseGgufHeader,
  readGgufHeader
} from '@resultity/formats'
import { modelInvalid } from '@resultity/interface'

/** A tensor, and the file that it lies in. */
export interface LocatedTensor extends GgufTensor {
  readonly file: ByteSource
}

/** A GGUF model, in however many files. */
export interface GgufFiles extends Disposable {
  /** Of the first file, for errors. */
  readonly name: string
  /** Of the first file: the others have none of the model's. */
  readonly metadata: GgufMetadata
  /** Of all files. */
  readonly tensors: ReadonlyMap<string, LocatedTensor>
}

/** Where the files of a GGUF model are. */
export interface GgufPlace {
  exists(path: string): boolean
  open(path: string): ByteSource
}

const onDisk: GgufPlace = { exists: existsSync, open: openFileSource }

/**
 * Opens the model of which `path` is the file, or any one of its parts. The caller disposes it.
 *
 * @throws MeshError `model_not_found`; `model_invalid`, naming the parts that are not there
 */
export function openGgufFiles(path: string, place: GgufPlace = onDisk): GgufFiles {
  using opening = new DisposableStack()
  const given = opening.use(place.open(path))
  const givenHeader = parseGgufHeader(given)
  const paths = ggufFilesOf(path, givenHeader)
  refuseMissing(paths, place)
  const parts = paths.map(each => {
    if (each === path) return { file: given, header: givenHeader }
    const file = opening.use(place.open(each))
    return { file, header: parseGgufHeader(file) }
  })
  const tensors = new Map<string, LocatedTensor>()
  for (const [index, { file, header }] of parts.entries()) {
    if (parts.length > 1) checkGgufPart(file.name, header, index, parts.length)
    for (const [name, tensor] of header.tensors) {
      const other = tensors.get(name)?.file.name
      if (other !== undefined) throw modelInvalid(file.name, `tensor "${name}" stands in ${basename(other)} as well`)
      tensors.set(name, { ...tensor, file })
    }
  }
  const [first = { file: given, header: givenHeader }] = parts
  if (parts.length > 1) checkTensorCount(first.file.name, first.header, tensors.size)
  const opened = opening.move()
  return {
    name: first.file.name,
    metadata: first.header.metadata,
    tensors,
    [Symbol.dispose]: () => opened.dispose()
  }
}

/** The metadata of the model of which `path` is the file, or any one of its parts. @throws as {@link openGgufFiles} */
export function readGgufMetadata(path: string): GgufMetadata {
  const header = readGgufHeader(path)
  const paths = ggufFilesOf(path, header)
  const [first = path] = paths
  if (first === path) return header.metadata
  refuseMissing(paths, onDisk)
  return readGgufHeader(first).metadata
}

function refuseMissing(paths: readonly string[], place: GgufPlace): void {
  const missing = paths.filter(path => !place.exists(path))
  if (missing.length === 0) return
  const named = missing.slice(0, 8).map(path => basename(path))
  const more = missing.length > named.length ? ` and ${missing.length - named.length} more` : ''
  throw modelInvalid(
    paths[0] ?? '',
    `of the ${paths.length} parts of this model ${missing.length} are not there: ${named.join(', ')}${more}`,
    'Download all parts into one folder.'
  )
}

function checkTensorCount(file: string, { metadata }: GgufHeader, found: number): void {
  const promised = metadata.get('split.tensors.count')
  if (promised === undefined || promised === found) return
  throw modelInvalid(
    file,
    `all parts together have ${found} tensors, and split.tensors.count is ${String(promised)}`,
    'The parts are of different models or versions; download all of them again.'
  )
}
