import { crc32, inflateRawSync } from 'node:zlib'
import { modelInvalid } from '@resultity/interface'
import type { ByteSource } from '../byte-source.ts'

/** A file of an archive. */
export interface ZipEntry {
  readonly name: string
  /** Of its bytes as they are stored. */
  readonly storedBytes: number
  /** Of its content. */
  readonly bytes: number
  readonly checksum: number
  readonly compressed: boolean
  /** Where its own header begins. */
  readonly headerOffset: number
}

/** Files of one archive: a model of 900 tensors has as many. */
const ENTRIES_MAX = 65_536
const DIRECTORY_BYTES_MAX = 32 * 1024 * 1024
/** What is compressed is read as one piece, and is small. */
const INFLATED_BYTES_MAX = 64 * 1024 * 1024

const END = 0x06054b50
const END_BYTES = 22
const COMMENT_BYTES_MAX = 65_535
const END64_LOCATOR = 0x07064b50
const END64_LOCATOR_BYTES = 20
const END64 = 0x06064b50
const END64_BYTES = 56
const CENTRAL = 0x02014b50
const CENTRAL_BYTES = 46
const LOCAL = 0x04034b50
const LOCAL_BYTES = 30
/** Kind of an extra field that has sizes of 64 bits. */
const SIZES64 = 1
/** Stands where a size is in a field of 64 bits. */
const ELSEWHERE = 0xffff_ffff
const ENCRYPTED = 1
const STORED = 0
const DEFLATED = 8

/**
 * The directory of a ZIP archive (APPNOTE.TXT 6.3), with sizes of 64 bits too: files that are stored as they are, or deflated.
 *
 * @throws MeshError `model_invalid` for what is damaged, encrypted, or has a name twice
 */
export function readZipDirectory(file: ByteSource): ReadonlyMap<string, ZipEntry> {
  const { count, offset, bytes } = findDirectory(file)
  if (count > ENTRIES_MAX || bytes > DIRECTORY_BYTES_MAX)
    throw modelInvalid(file.name, `its archive lists ${count} files`)
  const directory = viewOf(file.read(offset, bytes))
  const entries = new Map<string, ZipEntry>()
  let at = 0
  for (let index = 0; index < count; index++) {
    const { entry, end } = readEntry(file, directory, at)
    if (entries.has(entry.name)) throw modelInvalid(file.name, `its archive has "${shown(entry.name)}" twice`)
    entries.set(entry.name, entry)
    at = end
  }
  return entries
}

/** Where the bytes of a file begin that is stored as it is. @throws MeshError `model_invalid` */
export function storedOffset(file: ByteSource, entry: ZipEntry): number {
  const header = viewOf(file.read(entry.headerOffset, LOCAL_BYTES))
  if (header.getUint32(0, true) !== LOCAL)
    throw modelInvalid(file.name, `"${shown(entry.name)}" has no header in the archive`)
  const offset = entry.headerOffset + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true)
  if (offset + entry.storedBytes > file.bytes)
    throw modelInvalid(file.name, `"${shown(entry.name)}" goes on behind the archive's end`)
  return offset
}

/** The content of a small file, by its checksum. @throws MeshError `model_invalid` */
export function readZipEntry(file: ByteSource, entry: ZipEntry, bytesMax: number): Uint8Array<ArrayBuffer> {
  const most = Math.min(bytesMax, INFLATED_BYTES_MAX)
  if (entry.bytes > most || entry.storedBytes > most + 65_536) {
    throw modelInvalid(file.name, `"${shown(entry.name)}" has ${entry.bytes} bytes, the limit is ${most}`)
  }
  const stored = file.read(storedOffset(file, entry), entry.storedBytes)
  const content = entry.compressed ? inflate(file, entry, stored) : stored
  if (content.byteLength === entry.bytes && crc32(content) === entry.checksum) return content
  throw modelInvalid(file.name, `"${shown(entry.name)}" is damaged: its size or its checksum is another`)
}

function inflate(file: ByteSource, entry: ZipEntry, stored: Uint8Array): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(inflateRawSync(stored, { maxOutputLength: Math.max(1, entry.bytes) }))
  } catch (cause) {
    throw modelInvalid(file.name, `"${shown(entry.name)}" cannot be unpacked: ${String(cause)}`)
  }
}

interface Directory {
  readonly count: number
  readonly offset: number
  readonly bytes: number
}

function findDirectory(file: ByteSource): Directory {
  const length = Math.min(file.bytes, END_BYTES + COMMENT_BYTES_MAX)
  const tail = viewOf(file.read(file.bytes - length, length))
  for (let at = length - END_BYTES; at >= 0; at--) {
    if (tail.getUint32(at, true) !== END || tail.getUint16(at + 20, true) !== length - at - END_BYTES) continue
    const short = {
      count: tail.getUint16(at + 10, true),
      bytes: tail.getUint32(at + 12, true),
      offset: tail.getUint32(at + 16, true)
    }
    return findDirectory64(file, file.bytes - length + at) ?? short
  }
  throw modelInvalid(file.name, 'is no ZIP archive, or the end of it is missing')
}

/** What stands before the end of an archive that is large. */
function findDirectory64(file: ByteSource, end: number): Directory | undefined {
  if (end < END64_LOCATOR_BYTES) return undefined
  const locator = viewOf(file.read(end - END64_LOCATOR_BYTES, END64_LOCATOR_BYTES))
  if (locator.getUint32(0, true) !== END64_LOCATOR) return undefined
  const record = viewOf(file.read(wide(file, locator, 8), END64_BYTES))
  if (record.getUint32(0, true) !== END64) throw modelInvalid(file.name, 'the end of its archive is damaged')
  return { count: wide(file, record, 32), bytes: wide(file, record, 40), offset: wide(file, record, 48) }
}

function readEntry(file: ByteSource, directory: DataView, at: number): { entry: ZipEntry; end: number } {
  const left = directory.byteLength - at
  if (left < CENTRAL_BYTES || directory.getUint32(at, true) !== CENTRAL) throw damaged(file)
  const nameBytes = directory.getUint16(at + 28, true)
  const extraBytes = directory.getUint16(at + 30, true)
  const end = at + CENTRAL_BYTES + nameBytes + extraBytes + directory.getUint16(at + 32, true)
  if (end > directory.byteLength) throw damaged(file)
  const name = new TextDecoder().decode(
    new Uint8Array(directory.buffer, directory.byteOffset + at + CENTRAL_BYTES, nameBytes)
  )
  const method = directory.getUint16(at + 10, true)
  if ((directory.getUint16(at + 8, true) & ENCRYPTED) !== 0 || (method !== STORED && method !== DEFLATED)) {
    throw modelInvalid(file.name, `"${shown(name)}" is encrypted, or packed in a way that is not read`)
  }
  const extra = new DataView(directory.buffer, directory.byteOffset + at + CENTRAL_BYTES + nameBytes, extraBytes)
  const sizes = [24, 20, 42].map(field => directory.getUint32(at + field, true))
  const [bytes = 0, storedBytes = 0, headerOffset = 0] = widened(file, sizes, extra)
  if (method === STORED && bytes !== storedBytes) throw damaged(file)
  const checksum = directory.getUint32(at + 16, true)
  return { entry: { name, bytes, storedBytes, checksum, compressed: method === DEFLATED, headerOffset }, end }
}

/** Sizes with those put in that stand in a field of 64 bits, in this order. */
function widened(file: ByteSource, sizes: readonly number[], extra: DataView): number[] {
  if (!sizes.includes(ELSEWHERE)) return [...sizes]
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const length = extra.getUint16(at + 2, true)
    if (extra.getUint16(at, true) === SIZES64 && at + 4 + length <= extra.byteLength) {
      let next = at + 4
      return sizes.map(size => {
        if (size !== ELSEWHERE) return size
        if (next + 8 > at + 4 + length) throw damaged(file)
        next += 8
        return wide(file, extra, next - 8)
      })
    }
    at += 4 + length
  }
  throw damaged(file)
}

function wide(file: ByteSource, view: DataView, at: number): number {
  const value = view.getBigUint64(at, true)
  if (value > BigInt(file.bytes)) throw damaged(file)
  return Number(value)
}

function damaged(file: ByteSource): Error {
  return modelInvalid(file.name, 'the directory of its archive is damaged')
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function shown(name: string): string {
  return name.slice(0, 80)
}
