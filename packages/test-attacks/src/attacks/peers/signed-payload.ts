import type { PrivateKey } from '@resultity/mesh'

/** Of an envelope of libp2p: https://github.com/libp2p/specs/blob/master/RFC/0002-signed-envelopes.md */
const PUBLIC_KEY = 0x0a
const PAYLOAD_TYPE = 0x12
const PAYLOAD = 0x1a
const SIGNATURE = 0x2a

/**
 * Signs any payload as `sealed` was signed: what an honest node would refuse to say of itself.
 *
 * @param sealed an envelope by the same key, and for the same kind of record
 */
export async function signedPayload(
  sealed: Uint8Array,
  payload: Uint8Array,
  domain: string,
  privateKey: PrivateKey
): Promise<Uint8Array> {
  const fields = readFields(sealed)
  const publicKey = fields.get(PUBLIC_KEY) ?? new Uint8Array(0)
  const payloadType = fields.get(PAYLOAD_TYPE) ?? new Uint8Array(0)
  const signed = Buffer.concat([Buffer.from(domain), payloadType, payload].map(part => prefixed(part)))
  const signature = await privateKey.sign(signed)
  return Buffer.concat([
    field(PUBLIC_KEY, publicKey),
    field(PAYLOAD_TYPE, payloadType),
    field(PAYLOAD, payload),
    field(SIGNATURE, signature)
  ])
}

function field(tag: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(tag), prefixed(bytes)])
}

function prefixed(bytes: Uint8Array): Uint8Array {
  const length: number[] = []
  for (let rest = bytes.length; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.concat([Uint8Array.of(...length, rest), bytes])
    length.push((rest & 0x7f) | 0x80)
  }
}

/** The fields of a message, all of which have a length. */
function readFields(message: Uint8Array): Map<number, Uint8Array> {
  const fields = new Map<number, Uint8Array>()
  for (let at = 0; at < message.length; ) {
    const tag = message[at++] ?? 0
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    fields.set(tag, message.subarray(at, at + length))
    at += length
  }
  return fields
}
