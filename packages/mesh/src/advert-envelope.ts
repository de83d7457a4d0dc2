import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import { type Advert, advertSchema, MeshError, safeParse } from '@resultity/interface'

/** Domain of the signature: an advert's signature is never valid for another kind of record. */
const DOMAIN = 'resultity-advert'
const PAYLOAD_TYPE = new TextEncoder().encode('/resultity/advert/1')

/** A sealed advert, as it travels. Checked before it is parsed. */
export const ADVERT_BYTES_MAX = 32 * 1024

/** No advert may claim to hold for longer. */
export const ADVERT_TTL_MS_MAX = 10 * 60 * 1000

/** How far the clocks of two machines may differ. */
export const CLOCK_SKEW_MS = 30_000

/** Why an advert was not taken, in the `details` of the error. */
export type AdvertFault =
  | 'too_large'
  | 'malformed'
  | 'signature'
  | 'foreign'
  | 'schema'
  | 'expired'
  | 'future'
  | 'replayed'

export interface OpenAdvertOptions {
  /** Unix time in milliseconds. */
  readonly now: number
  /** The peer whose stream it came on. */
  readonly expectedPeer: string
  /** `sequence` of the last advert taken from this peer. */
  readonly lastSequence?: number
}

/**
 * Signs an advert.
 * @throws MeshError `internal` when it breaks its own schema or is too large to travel
 */
export async function sealAdvert(advert: Advert, privateKey: PrivateKey): Promise<Uint8Array> {
  const checked = safeParse(advertSchema, advert)
  if (!checked.success) throw new MeshError('internal', `an own advert is not valid: ${checked.error.message}`)
  const payload = new TextEncoder().encode(JSON.stringify(checked.data))
  const record = { domain: DOMAIN, codec: PAYLOAD_TYPE, marshal: () => payload, equals: () => false }
  const bytes = (await RecordEnvelope.seal(record, privateKey)).marshal()
  if (bytes.length > ADVERT_BYTES_MAX) {
    throw new MeshError('internal', `an own advert has ${bytes.length} bytes, more than ${ADVERT_BYTES_MAX}`)
  }
  return bytes
}

/**
 * Opens a sealed advert, and takes it only if the expected peer signed it, it holds now, and it is newer than the
 * last one.
 *
 * @throws MeshError `protocol_violation`, with the {@link AdvertFault} in `details.fault`
 */
export async function openAdvert(bytes: Uint8Array, options: OpenAdvertOptions): Promise<Advert> {
  const { now, expectedPeer, lastSequence } = options
  if (bytes.length > ADVERT_BYTES_MAX) throw refuse('too_large', `${bytes.length} bytes, more than ${ADVERT_BYTES_MAX}`)
  const envelope = parseEnvelope(bytes)
  const signer = peerIdFromPublicKey(envelope.publicKey).toString()
  // before the signature: a key that a stranger chose is not worth the work
  if (signer !== expectedPeer) throw refuse('foreign', `signed by ${signer}, not by ${expectedPeer}`)
  await verify(envelope)
  const advert = parse(envelope.payload)
  if (advert.peerId !== signer) throw refuse('foreign', `names ${advert.peerId}, but ${signer} signed it`)
  if (now >= advert.expiresAtMs + CLOCK_SKEW_MS) {
    throw refuse('expired', `expired ${now - advert.expiresAtMs} ms ago; compare the clocks of both machines`)
  }
  if (advert.issuedAtMs > now + CLOCK_SKEW_MS || advert.expiresAtMs - advert.issuedAtMs > ADVERT_TTL_MS_MAX) {
    throw refuse('future', 'from the future, or valid for too long; compare the clocks of both machines')
  }
  if (lastSequence !== undefined && advert.sequence <= lastSequence) {
    throw refuse('replayed', `sequence ${advert.sequence} after ${lastSequence}`)
  }
  return advert
}

function parseEnvelope(bytes: Uint8Array): RecordEnvelope {
  try {
    return RecordEnvelope.createFromProtobuf(bytes)
  } catch (cause) {
    throw refuse('malformed', 'not a signed envelope', cause)
  }
}

async function verify(envelope: RecordEnvelope): Promise<void> {
  let valid: boolean
  try {
    valid = await envelope.validate(DOMAIN)
  } catch (cause) {
    throw refuse('signature', 'its signature cannot be checked', cause)
  }
  if (!valid) throw refuse('signature', 'its signature does not fit')
  if (!Buffer.from(envelope.payloadType).equals(PAYLOAD_TYPE)) throw refuse('malformed', 'not an advert')
}

function parse(payload: { subarray(): Uint8Array }): Advert {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload.subarray()))
  } catch (cause) {
    throw refuse('malformed', 'not JSON', cause)
  }
  const advert = safeParse(advertSchema, json)
  if (advert.success) return advert.data
  const [issue] = advert.error.issues
  throw refuse('schema', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`, advert.error)
}

function refuse(fault: AdvertFault, why: string, cause?: unknown): MeshError {
  return new MeshError('protocol_violation', `the advert was refused (${fault}): ${why}`, {
    hint: 'The node signs a new advert by itself; if this repeats, compare the releases and clocks on both sides.',
    details: { fault },
    cause
  })
}
