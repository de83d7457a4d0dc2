import { LAYERS_MAX, type LayerRange, MeshError, type WorkClass } from '@resultity/interface'
import Long from 'long'
import { violation } from './frame-codec.ts'
import { PROTOCOL_VERSION } from './protocols.ts'

/** A 64-bit integer as protobufjs reads it: `long` objects, or plain numbers where the message came from our own code. */
export type Integer64 = number | { readonly low: number; readonly high: number }

const UINT32 = 0x1_0000_0000
const SESSION_BYTES = 16
const SHA256_BYTES = 32

/** Generated messages leave absent fields undefined or null; both mean the proto3 default. */
type Absent = null | undefined

/** @throws MeshError `protocol_version` */
export function checkVersion(version: number | Absent, protocol: string): void {
  if (version === PROTOCOL_VERSION) return
  throw new MeshError(
    'protocol_version',
    `the peer speaks version ${version ?? 0} of ${protocol}, not ${PROTOCOL_VERSION}`,
    {
      hint: 'Run the same release of resultity on both sides.',
      details: { theirs: version ?? 0, ours: PROTOCOL_VERSION }
    }
  )
}

const WORK_CLASSES: readonly WorkClass[] = ['interactive', 'batch']

/** The field that says it; nothing where the work is interactive, as peers are that do not know the field. */
export function workClassFromWire(value: number | Absent): { readonly workClass?: WorkClass } {
  const workClass = WORK_CLASSES[value ?? 0]
  if (workClass === undefined) throw violation(`work_class is ${value}, which this version does not know`)
  return workClass === 'interactive' ? {} : { workClass }
}

/** Zero, which costs no byte, where the work is interactive. */
export function workClassToWire(workClass: WorkClass = 'interactive'): number {
  return WORK_CLASSES.indexOf(workClass)
}

/** The 16 bytes of a session's id. */
export function sessionId(bytes: Uint8Array | Absent): Uint8Array {
  if (bytes?.length !== SESSION_BYTES) {
    throw violation(`a session id has ${SESSION_BYTES} bytes, this one ${bytes?.length ?? 0}`)
  }
  return bytes
}

export function integer(value: number | Absent, field: string, min: number, max: number): number {
  const checked = value ?? 0
  if (checked < min || checked > max) throw violation(`${field} is ${checked}, outside ${min} to ${max}`)
  return checked
}

/** A uint64 as a number. @throws MeshError `protocol_violation` above 2^53 - 1 */
export function integer64(value: Integer64 | Absent, field: string): number {
  const checked = typeof value === 'number' ? value : value ? (value.high >>> 0) * UINT32 + (value.low >>> 0) : 0
  if (!Number.isSafeInteger(checked) || checked < 0) throw violation(`${field} is beyond 2^53 - 1`)
  return checked
}

/** A fixed64 without loss. */
export function bigInteger64(value: Integer64 | Absent): bigint {
  if (typeof value === 'number') return BigInt(value)
  if (!value) return 0n
  return (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0)
}

/** The two halves that protobufjs writes as they are. */
export function fromBigInteger64(value: bigint): Long {
  const low = Number(value & 0xffff_ffffn)
  const high = Number((value >> 32n) & 0xffff_ffffn)
  return Long.fromBits(low, high, true)
}

/** A day: nothing that is measured of one layer takes longer. */
const MILLISECONDS_MAX = 24 * 60 * 60 * 1000

/** A duration in milliseconds. */
export function milliseconds(value: number | Absent, field: string): number {
  const checked = value ?? 0
  if (!(checked >= 0 && checked <= MILLISECONDS_MAX)) {
    throw violation(`${field} is ${checked}, outside 0 to ${MILLISECONDS_MAX}`)
  }
  return checked
}

/** Rounding may lift the logarithm of a probability a little above zero. */
const LOGPROB_MAX = 0.01

/** A natural logarithm of a probability. */
export function logprob(value: number | Absent, field: string): number {
  const checked = value ?? 0
  if (!Number.isFinite(checked) || checked > LOGPROB_MAX) throw violation(`${field} is ${checked}, no log-probability`)
  return checked
}

export function text(value: string | Absent, field: string, charactersMax: number, charactersMin = 0): string {
  const checked = value ?? ''
  if (checked.length < charactersMin || checked.length > charactersMax) {
    throw violation(`${field} has ${checked.length} characters, outside ${charactersMin} to ${charactersMax}`)
  }
  return checked
}

export function bytes(value: Uint8Array | Absent, field: string, bytesMax: number): Uint8Array {
  const checked = value ?? new Uint8Array(0)
  if (checked.length > bytesMax) throw violation(`${field} has ${checked.length} bytes, more than ${bytesMax}`)
  return checked
}

export function list<T>(value: readonly T[] | Absent, field: string, countMax: number): readonly T[] {
  const checked = value ?? []
  if (checked.length > countMax) throw violation(`${field} has ${checked.length} entries, more than ${countMax}`)
  return checked
}

/** A SHA-256 as lower-case hex. */
export function sha256FromWire(value: Uint8Array | Absent, field: string): string {
  if (value?.length !== SHA256_BYTES) throw violation(`${field} has ${value?.length ?? 0} bytes, not ${SHA256_BYTES}`)
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
}

/** @throws MeshError `internal` when `sha256` is not 64 hexadecimal digits */
export function sha256ToWire(sha256: string): Uint8Array {
  const checked = Buffer.from(sha256, 'hex')
  if (checked.length !== SHA256_BYTES) throw new MeshError('internal', `"${sha256}" is not a SHA-256 in hexadecimal`)
  return checked
}

export function layerRange(first: number | Absent, end: number | Absent): LayerRange {
  const range = { first: first ?? 0, end: end ?? 0 }
  if (range.first >= range.end || range.end > LAYERS_MAX) {
    throw violation(`[${range.first},${range.end}) is not a layer range`)
  }
  return range
}
