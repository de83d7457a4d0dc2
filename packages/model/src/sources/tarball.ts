import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { MeshError } from '@resultity/interface'
import { reasonOf, sha256Of } from './download.ts'
import type { ProgressOptions } from './progress.ts'

/** A file in an archive, and where it belongs. */
export interface ArchivedFile {
  /** Its path in the archive. */
  readonly entry: string
  readonly sha256: string
  readonly target: string
}

/** A package has some thousands of files at most. */
const ENTRIES_MAX = 65_536

/** Of a whole archive, unpacked: no package is nearly as large. */
const UNPACKED_BYTES_MAX = 4 * 1024 ** 3

/** What an archive is made of: a header is one, and a file is padded to whole ones. */
const BLOCK_BYTES = 512

// Offsets in a header: POSIX.1-2017, pax, "ustar Interchange Format"
const Header = {
  name: [0, 100],
  size: [124, 136],
  checksum: [148, 156],
  type: 156,
  magic: [257, 262],
  prefix: [345, 500]
} as const

/**
 * Takes files out of an archive of tar and gzip. Each appears complete and checked or not at all; nothing else of it is written.
 *
 * @throws MeshError `model_invalid` when the archive is damaged or lacks a file; `resource_exhausted`; `hash_mismatch`
 */
export async function extractFiles(
  archive: string,
  files: readonly ArchivedFile[],
  options: ProgressOptions = {}
): Promise<void> {
  const wanted = new Map(files.map(file => [file.entry, file]))
  const signal = options.signal === undefined ? {} : { signal: options.signal }
  try {
    await pipeline(
      createReadStream(archive),
      createGunzip(),
      async (unpacked: AsyncIterable<Buffer>) => {
        const reader = new BlockReader(unpacked)
        for await (const entry of entriesOf(reader)) {
          const file = entry.plain ? wanted.get(entry.name) : undefined
          if (file === undefined) {
            await reader.skip(entry.bytes)
          } else {
            await writeFile(reader, file, entry.bytes, options)
            wanted.delete(entry.name)
          }
          await reader.skip((BLOCK_BYTES - (entry.bytes % BLOCK_BYTES)) % BLOCK_BYTES)
        }
      },
      signal
    )
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof MeshError) throw error
    throw new MeshError('model_invalid', `${basename(archive)} cannot be unpacked: ${reasonOf(error)}`, {
      hint: 'The download is damaged; try again.',
      cause: error
    })
  }
  const [absent] = wanted.keys()
  if (absent !== undefined) throw new MeshError('model_invalid', `${basename(archive)} has no ${absent}`)
}

interface ArchiveEntry {
  readonly name: string
  readonly bytes: number
  /** False for folders, links and whatever else is no file. */
  readonly plain: boolean
}

async function* entriesOf(reader: BlockReader): AsyncGenerator<ArchiveEntry> {
  for (let count = 0; ; count++) {
    if (count > ENTRIES_MAX) throw new Error(`it has more than ${ENTRIES_MAX} files`)
    const header = await reader.header()
    // blocks of zeros end an archive, and so does its end
    if (header === undefined || header.every(byte => byte === 0)) return await reader.drain()
    yield entryOf(header)
  }
}

function entryOf(header: Buffer): ArchiveEntry {
  const [from, to] = Header.checksum
  let sum = 0
  // the checksum is made as if its own field held spaces
  for (const [at, byte] of header.entries()) sum += at >= from && at < to ? 0x20 : byte
  if (sum !== octal(header, Header.checksum)) throw new Error('the checksum of a header is wrong')
  const prefix = text(header, Header.magic) === 'ustar' ? text(header, Header.prefix) : ''
  const name = text(header, Header.name)
  const type = header[Header.type]
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    bytes: octal(header, Header.size),
    plain: type === 0x30 || type === 0
  }
}

function text(header: Buffer, [from, to]: readonly [number, number]): string {
  const field = header.subarray(from, to)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? field.length : end)
}

function octal(header: Buffer, field: readonly [number, number]): number {
  const digits = text(header, field).trim()
  if (!/^[0-7]{1,12}$/.test(digits)) throw new Error('a header has a number that is none')
  return Number.parseInt(digits, 8)
}

async function writeFile(
  reader: BlockReader,
  { entry, sha256, target }: ArchivedFile,
  bytes: number,
  options: ProgressOptions
): Promise<void> {
  await mkdir(dirname(target), { recursive: true })
  // its own name, so that two processes do not write into one file
  const partial = `${target}.${process.pid}.partial`
  try {
    const file = await open(partial, 'w')
    try {
      let bytesDone = 0
      for await (const chunk of reader.chunks(bytes)) {
        await file.writeFile(chunk)
        bytesDone += chunk.byteLength
        options.onProgress?.({ phase: 'unpack', what: basename(target), bytesDone, bytesTotal: bytes })
      }
    } finally {
      await file.close()
    }
    const actual = await sha256Of(partial)
    if (actual !== sha256) {
      throw new MeshError('hash_mismatch', `${entry} has the hash ${actual}, not ${sha256}`, {
        hint: 'The package was changed; use another source.'
      })
    }
    await rename(partial, target)
  } finally {
    await rm(partial, { force: true })
  }
}

/** The unpacked bytes, taken in the sizes that a reader of them wants. */
class BlockReader {
  readonly #source: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)
  #bytesSeen = 0

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next block; undefined at the end. @throws Error when it is cut off */
  async header(): Promise<Buffer | undefined> {
    const parts: Buffer[] = []
    if (this.#rest.length === 0 && !(await this.#fill())) return undefined
    for await (const chunk of this.chunks(BLOCK_BYTES)) parts.push(chunk)
    return Buffer.concat(parts)
  }

  /** The next `count` bytes as they come. @throws Error when there are fewer */
  async *chunks(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0 && !(await this.#fill())) throw new Error('it is cut off')
      const chunk = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(chunk.length)
      left -= chunk.length
      yield chunk
    }
  }

  async skip(count: number): Promise<void> {
    for await (const _ of this.chunks(count));
  }

  /** Reads to the end, so that what unpacks comes to its own and checks its sum. */
  async drain(): Promise<void> {
    while (await this.#fill());
  }

  async #fill(): Promise<boolean> {
    const { done, value } = await this.#source.next()
    if (done === true) return false
    this.#bytesSeen += value.length
    if (this.#bytesSeen > UNPACKED_BYTES_MAX) {
      throw new MeshError('resource_exhausted', `the package has more than ${UNPACKED_BYTES_MAX} bytes`)
    }
    this.#rest = value
    return true
  }
}
