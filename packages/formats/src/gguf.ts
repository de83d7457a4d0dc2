import { modelInvalid } from '@resultity/interface'
import { type ByteSource, openFileSource } from './byte-source.ts'
import { GgufReader } from './gguf-reader.ts'
import { type SourceEncoding, storageUnit } from './quantization/encoding.ts'

/** A metadata value. Integers that a double cannot hold exactly stay bigint. */
export type GgufScalar = number | bigint | boolean | string
export type GgufValue = GgufScalar | readonly GgufScalar[]
export type GgufMetadata = ReadonlyMap<string, GgufValue>

export interface GgufTensor {
  readonly name: string
  readonly encoding: SourceEncoding
  /** ggml's order: `[columns]` or `[columns, rows]`. */
  readonly shape: readonly number[]
  /** Byte of the file at which the data starts. */
  readonly offset: number
  readonly bytes: number
}

export interface GgufHeader {
  readonly version: number
  readonly metadata: GgufMetadata
  readonly tensors: ReadonlyMap<string, GgufTensor>
  /** First byte after the header, where alignment ends. */
  readonly dataOffset: number
}

/** `GGUF`, read as a little-endian word. */
const MAGIC = 0x46554747
const METADATA_MAX = 65_536
/** 1,024 layers of nine tensors, and some. */
const TENSORS_MAX = 16_384
const DIMENSIONS_MAX = 4
const DEFAULT_ALIGNMENT = 32

/** Value types of gguf.md, by their number; 8 is a string and 9 an array. */
const scalarReaders: ReadonlyMap<number, { bytesMin: number; read(reader: GgufReader, what: string): GgufScalar }> =
  new Map(
    Object.entries({
      0: { bytesMin: 1, read: (reader: GgufReader) => reader.u8() },
      1: { bytesMin: 1, read: (reader: GgufReader) => reader.i8() },
      2: { bytesMin: 2, read: (reader: GgufReader) => reader.u16() },
      3: { bytesMin: 2, read: (reader: GgufReader) => reader.i16() },
      4: { bytesMin: 4, read: (reader: GgufReader) => reader.u32() },
      5: { bytesMin: 4, read: (reader: GgufReader) => reader.i32() },
      6: { bytesMin: 4, read: (reader: GgufReader) => reader.f32() },
      7: { bytesMin: 1, read: (reader: GgufReader) => reader.u8() !== 0 },
      8: { bytesMin: 8, read: (reader: GgufReader, what: string) => reader.string(what) },
      10: { bytesMin: 8, read: (reader: GgufReader) => exactInteger(reader.u64()) },
      11: { bytesMin: 8, read: (reader: GgufReader) => exactInteger(reader.i64()) },
      12: { bytesMin: 8, read: (reader: GgufReader) => reader.f64() }
    }).map(([type, scalar]) => [Number(type), scalar])
  )
const ARRAY_TYPE = 9

/** `ggml_type` by number, of those that this importer knows. */
const encodings: ReadonlyMap<number, SourceEncoding> = new Map([
  [0, 'F32'],
  [1, 'F16'],
  [2, 'Q4_0'],
  [3, 'Q4_1'],
  [6, 'Q5_0'],
  [7, 'Q5_1'],
  [8, 'Q8_0'],
  [12, 'Q4_K'],
  [13, 'Q5_K'],
  [14, 'Q6_K'],
  [30, 'BF16']
])

/**
 * Reads and checks the header of a GGUF file (versions 2 and 3, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
 * Synchronous: call it in a worker thread, or where some 100 ms do not matter.
 *
 * @throws MeshError `model_not_found`, or `model_invalid` saying what is wrong and where
 */
export function readGgufHeader(path: string): GgufHeader {
  using source = openFileSource(path)
  return parseGgufHeader(source)
}

/** As {@link readGgufHeader}. Every tensor is inside the file and no two overlap. */
export function parseGgufHeader(source: ByteSource): GgufHeader {
  const reader = new GgufReader(source)
  if (source.bytes < 4 || reader.u32() !== MAGIC) {
    const hint = 'It may be a web page or an archive that was saved in place of the file; download the file itself.'
    throw modelInvalid(source.name, 'not a GGUF file, its first four bytes are not "GGUF"', hint)
  }
  const version = reader.u32()
  checkVersion(source.name, version)
  const tensorCount = reader.count('the number of tensors', TENSORS_MAX)
  const metadataCount = reader.count('the number of metadata entries', METADATA_MAX)
  const metadata = readMetadata(reader, metadataCount)
  const alignment = alignmentOf(reader, metadata)
  const entries = Array.from({ length: tensorCount }, () => readTensorEntry(reader))
  const dataOffset = Math.ceil(reader.position / alignment) * alignment
  return { version, metadata, tensors: placeTensors(reader, source, entries, { dataOffset, alignment }), dataOffset }
}

function checkVersion(file: string, version: number): void {
  if (version === 2 || version === 3) return
  // a small number, written by a machine that puts the highest byte first
  if (version !== 0 && version % 65_536 === 0) {
    const hint = 'Use the file for little-endian machines.'
    throw modelInvalid(file, 'is a GGUF file for big-endian machines, which are not supported', hint)
  }
  const hint = 'Fetch a newer file, or convert the model again with a current converter.'
  throw modelInvalid(file, `GGUF version ${version} is not supported, 2 and 3 are`, hint)
}

function exactInteger(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function readMetadata(reader: GgufReader, count: number): GgufMetadata {
  const metadata = new Map<string, GgufValue>()
  for (let index = 0; index < count; index += 1) {
    const key = reader.string(`metadata key ${index}`)
    if (metadata.has(key)) throw reader.invalid(`metadata key "${key}" stands there twice`)
    metadata.set(key, readValue(reader, key))
  }
  return metadata
}

function readValue(reader: GgufReader, key: string): GgufValue {
  const type = reader.u32()
  if (type !== ARRAY_TYPE) return scalarReader(reader, key, type).read(reader, key)
  const element = scalarReader(reader, key, reader.u32())
  // so many elements that the rest of the file cannot hold them are refused before memory is taken
  const count = reader.entries(`length of the array "${key}"`, element.bytesMin)
  return Array.from({ length: count }, () => element.read(reader, key))
}

function scalarReader(reader: GgufReader, key: string, type: number) {
  const scalar = scalarReaders.get(type)
  if (scalar === undefined) throw reader.invalid(`metadata "${key}" has the unknown type ${type}`)
  return scalar
}

function alignmentOf(reader: GgufReader, metadata: GgufMetadata): number {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT
  if (typeof alignment !== 'number' || alignment < 8 || alignment > 65_536 || !Number.isInteger(Math.log2(alignment))) {
    throw reader.invalid(`general.alignment is ${String(alignment)}, not a power of two from 8 to 65536`)
  }
  return alignment
}

function readTensorEntry(reader: GgufReader): GgufTensor {
  const name = reader.string('a tensor name')
  const dimensions = reader.u32()
  if (dimensions < 1 || dimensions > DIMENSIONS_MAX)
    throw reader.invalid(`tensor "${name}" has ${dimensions} dimensions`)
  const shape = Array.from({ length: dimensions }, () => reader.count(`a dimension of tensor "${name}"`, 2 ** 32))
  const type = reader.u32()
  const encoding = encodings.get(type)
  if (encoding === undefined) {
    throw reader.invalid(`tensor "${name}" has ggml type ${type}; supported are ${[...encodings.values()].join(', ')}`)
  }
  const offset = reader.count(`the offset of tensor "${name}"`, Number.MAX_SAFE_INTEGER)
  return { name, encoding, shape, offset, bytes: storedBytes(reader, name, encoding, shape) }
}

function storedBytes(reader: GgufReader, name: string, encoding: SourceEncoding, shape: readonly number[]): number {
  const unit = storageUnit(encoding)
  const weights = shape.reduce((product, dimension) => product * dimension, 1)
  const bytes = (weights / unit.weights) * unit.bytes
  if ((shape[0] ?? 0) % unit.weights !== 0) {
    throw reader.invalid(
      `tensor "${name}" has rows of ${shape[0]}, not a multiple of the ${unit.weights} of ${encoding}`
    )
  }
  if (!Number.isSafeInteger(bytes)) throw reader.invalid(`tensor "${name}" has the shape [${shape.join(', ')}]`)
  return bytes
}

/** Turns offsets in the data section into offsets in the file. */
function placeTensors(
  reader: GgufReader,
  source: ByteSource,
  entries: readonly GgufTensor[],
  { dataOffset, alignment }: { dataOffset: number; alignment: number }
): ReadonlyMap<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>()
  let end = dataOffset
  // an empty one begins where the next does
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset || a.bytes - b.bytes)) {
    const tensor = { ...entry, offset: dataOffset + entry.offset }
    const extent = `bytes ${tensor.offset} to ${tensor.offset + tensor.bytes}`
    if (entry.offset % alignment !== 0)
      throw reader.invalid(`tensor "${entry.name}" is not aligned to ${alignment} bytes`)
    if (tensor.offset < end) throw reader.invalid(`tensor "${entry.name}" (${extent}) overlaps the one before it`)
    end = tensor.offset + tensor.bytes
    if (end > source.bytes) {
      throw reader.invalid(`tensor "${entry.name}" takes ${extent}, but the file ends at byte ${source.bytes}`)
    }
    if (tensors.has(entry.name)) throw reader.invalid(`tensor "${entry.name}" stands there twice`)
    tensors.set(entry.name, tensor)
  }
  return tensors
}
