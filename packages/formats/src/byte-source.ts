import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { isLfsPointer, lfsPointerError, MeshError, modelInvalid, POINTER_BYTES_MAX } from '@resultity/interface'
import type { FileExtent } from './file-extent.ts'

/**
 * Bytes of a model file, read synchronously: formats are parsed and converted in a worker thread, where
 * blocking costs nobody anything.
 */
export interface ByteSource extends Disposable {
  /** Names the source in errors. */
  readonly name: string
  readonly bytes: number
  /** @throws MeshError `model_invalid` when the extent is not inside the source */
  read(offset: number, length: number): Uint8Array<ArrayBuffer>
}

function checkExtent(source: Pick<ByteSource, 'name' | 'bytes'>, offset: number, length: number): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= source.bytes)) {
    throw modelInvalid(
      source.name,
      `ends at byte ${source.bytes}, but bytes ${offset} to ${offset + length} are needed`
    )
  }
}

/**
 * @throws MeshError `model_not_found` when the file cannot be opened, `model_invalid` when it is no plain file, has nothing in
 * it, or is a Git LFS pointer
 */
export function openFileSource(path: string): ByteSource {
  let descriptor: number
  try {
    // opening a pipe would wait for its writer
    if (!statSync(path).isFile()) throw modelInvalid(path, 'is not a file')
    descriptor = openSync(path, 'r')
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw new MeshError('model_not_found', `cannot open ${path}`, {
      hint: 'check the path and its permissions',
      cause: error
    })
  }
  const source = { name: path, bytes: fstatSync(descriptor).size }
  const opened: ByteSource = {
    ...source,
    read(offset, length) {
      checkExtent(source, offset, length)
      const bytes = new Uint8Array(length)
      for (let done = 0; done < length; ) {
        const count = readAt(descriptor, bytes.subarray(done), offset + done, path)
        if (count === 0) throw modelInvalid(path, `became shorter while it was read, at byte ${offset + done}`)
        done += count
      }
      return bytes
    },
    [Symbol.dispose]: () => closeSync(descriptor)
  }
  const placeholder = placeholderError(opened)
  if (placeholder === undefined) return opened
  opened[Symbol.dispose]()
  throw placeholder
}

/** The error of what stands in a file's place: nothing, or a pointer to it. */
function placeholderError(file: ByteSource): MeshError | undefined {
  if (file.bytes === 0)
    return modelInvalid(file.name, 'is empty', 'Its download broke off, or was never begun; fetch it again.')
  if (file.bytes > POINTER_BYTES_MAX) return undefined
  return isLfsPointer(file.read(0, file.bytes)) ? lfsPointerError(file.name) : undefined
}

function readAt(descriptor: number, bytes: Uint8Array, offset: number, path: string): number {
  try {
    return readSync(descriptor, bytes, 0, bytes.byteLength, offset)
  } catch (error) {
    throw modelInvalid(
      path,
      `cannot be read at byte ${offset}: ${error instanceof Error ? error.message : String(error)}`
    )
  }
}

export function memorySource(name: string, content: Uint8Array): ByteSource {
  const source = { name, bytes: content.byteLength }
  return {
    ...source,
    read(offset, length) {
      checkExtent(source, offset, length)
      return new Uint8Array(content.subarray(offset, offset + length))
    },
    [Symbol.dispose]: () => undefined
  }
}

/** Bytes are asked for that are not on this machine (yet). Whoever reads a file by ranges fetches them and begins anew. */
export class MissingBytes extends Error {
  override readonly name = 'MissingBytes'
  readonly extent: FileExtent

  constructor(extent: FileExtent) {
    super(`bytes ${extent.offset} to ${extent.offset + extent.bytes} of ${extent.file} are not here`)
    this.extent = extent
  }
}

/** Bytes of a file, and how they are read: `at` counts from the extent's own beginning. */
export interface HeldExtent extends FileExtent {
  read(at: number, length: number): Uint8Array<ArrayBuffer>
}

/**
 * A file of which only some extents are here.
 *
 * @param held what is here now of all files; asked anew at every read
 * @throws MissingBytes when a read is not inside one of them
 */
export function heldSource(name: string, bytes: number, held: () => readonly HeldExtent[]): ByteSource {
  const source = { name, bytes }
  return {
    ...source,
    read(offset, length) {
      checkExtent(source, offset, length)
      const found = held().find(
        extent => extent.file === name && offset >= extent.offset && offset + length <= extent.offset + extent.bytes
      )
      if (found === undefined) throw new MissingBytes({ file: name, offset, bytes: length })
      return found.read(offset - found.offset, length)
    },
    [Symbol.dispose]: () => undefined
  }
}
