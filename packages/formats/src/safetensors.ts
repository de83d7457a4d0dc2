import { describeIssues, modelInvalid, safeParse } from '@resultity/interface'
import { z } from 'zod'
import type { ByteSource } from './byte-source.ts'
import { type FloatEncoding, storageUnit } from './quantization/encoding.ts'

export interface SafetensorsEntry {
  /** As the file names it: `F16`, `I64`. */
  readonly dtype: string
  /** Undefined where the numbers are of a kind that no weight of ours is. */
  readonly encoding: FloatEncoding | undefined
  /** Outermost dimension first: `[rows, columns]` or `[size]`. */
  readonly shape: readonly number[]
  /** Byte of the file at which the data starts. */
  readonly offset: number
  readonly bytes: number
}

/** The limit of the reference implementation. */
const HEADER_BYTES_MAX = 100_000_000
const TENSORS_MAX = 65_536

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()).max(8),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()])
})
/** What is asked of tensors that are passed over, too. */
const extentSchema = entrySchema.pick({ data_offsets: true })
const headerSchema = z.record(z.string(), z.unknown())

/**
 * Reads and checks the header of a safetensors file (https://huggingface.co/docs/safetensors): every tensor is inside
 * the file, has as many bytes as its shape needs, and there is nothing between them.
 *
 * @param ignored names of tensors to pass over, whatever they hold
 * @throws MeshError `model_invalid` saying what is wrong and where
 */
export function parseSafetensors(file: ByteSource, ignored?: RegExp): ReadonlyMap<string, SafetensorsEntry> {
  const header = readHeader(file)
  const tensors = new Map<string, SafetensorsEntry>()
  const extents: Extent[] = []
  for (const [name, value] of Object.entries(header.entries)) {
    if (name === '__metadata__') continue
    const extent = safeParse(extentSchema, value)
    if (!extent.success) throw modelInvalid(file.name, `tensor "${name}": ${describeIssues(extent.error, value)}`)
    const [begin, end] = extent.data.data_offsets
    extents.push({ name, begin, end })
    if (ignored?.test(name) === true) continue
    if (tensors.size === TENSORS_MAX) throw modelInvalid(file.name, `more than ${TENSORS_MAX} tensors`)
    const parsed = safeParse(entrySchema, value)
    if (!parsed.success) throw modelInvalid(file.name, `tensor "${name}": ${describeIssues(parsed.error, value)}`)
    tensors.set(name, checkEntry(file, name, parsed.data, header.dataOffset))
  }
  refuseOverlapsAndHoles(file, extents, header.dataOffset)
  return tensors
}

function readHeader(file: ByteSource): { entries: Record<string, unknown>; dataOffset: number } {
  const length = new DataView(file.read(0, 8).buffer).getBigUint64(0, true)
  if (length > BigInt(HEADER_BYTES_MAX) || Number(length) + 8 > file.bytes) {
    throw modelInvalid(file.name, `its header claims ${length} bytes, the file has ${file.bytes}`)
  }
  const text = new TextDecoder().decode(file.read(8, Number(length)))
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw modelInvalid(file.name, `its header is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  const parsed = safeParse(headerSchema, json)
  if (!parsed.success) throw modelInvalid(file.name, 'its header is not a JSON object')
  return { entries: parsed.data, dataOffset: 8 + Number(length) }
}

function checkEntry(
  file: ByteSource,
  name: string,
  entry: z.infer<typeof entrySchema>,
  dataOffset: number
): SafetensorsEntry {
  const { dtype, shape } = entry
  const encoding = dtype === 'F32' || dtype === 'F16' || dtype === 'BF16' ? dtype : undefined
  const [begin, end] = entry.data_offsets
  const bytes =
    encoding === undefined
      ? end - begin
      : shape.reduce((product, dimension) => product * dimension, storageUnit(encoding).bytes)
  if (end - begin !== bytes || bytes < 0) {
    throw modelInvalid(
      file.name,
      `tensor "${name}" of shape [${shape.join(', ')}] needs ${bytes} bytes, not ${end - begin}`
    )
  }
  if (dataOffset + end > file.bytes) {
    throw modelInvalid(file.name, `tensor "${name}" ends at byte ${dataOffset + end}, the file at byte ${file.bytes}`)
  }
  return { dtype, encoding, shape, offset: dataOffset + begin, bytes }
}

interface Extent {
  readonly name: string
  readonly begin: number
  readonly end: number
}

/**
 * The format has neither, and a hole tells of a tensor that stands there twice: of two entries with one name, JSON keeps
 * the latter.
 */
function refuseOverlapsAndHoles(file: ByteSource, extents: readonly Extent[], dataOffset: number): void {
  let last = 0
  for (const { name, begin, end } of extents.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < last) throw modelInvalid(file.name, `tensor "${name}" overlaps the one before it`)
    if (begin > last) throw modelInvalid(file.name, `bytes ${last} to ${begin} of its data belong to no tensor`)
    last = end
  }
  if (dataOffset + last !== file.bytes) {
    throw modelInvalid(file.name, `its tensors end at byte ${dataOffset + last}, the file at byte ${file.bytes}`)
  }
}
