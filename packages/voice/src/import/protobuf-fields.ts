/** One field of a protobuf message, as it lies in its bytes. */
export type ProtobufField =
  | { readonly number: number; readonly kind: 'varint'; readonly value: number }
  | { readonly number: number; readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly number: number; readonly kind: 'fixed' }

/** Why bytes are no message. Whoever reads them says of which file. */
export class ProtobufError extends Error {}

const FIXED_BYTES: Readonly<Record<number, number>> = { 1: 8, 5: 4 }

/**
 * The fields of a message, one after the other; nested messages are views of the same bytes, and nothing is copied.
 *
 * Numbers over 2^53 lose their last bits.
 *
 * @throws ProtobufError where the bytes are no message
 */
export function* protobufFields(bytes: Uint8Array): Generator<ProtobufField> {
  let at = 0
  const varint = (): number => {
    let value = 0
    // ten bytes hold 64 bits
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) throw new ProtobufError('a number is cut off')
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new ProtobufError('a number has more than 64 bits')
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    const wireType = tag % 8
    if (number === 0 || number > 536_870_911) throw new ProtobufError(`there is no field ${number}`)
    if (wireType === 0) {
      yield { number, kind: 'varint', value: varint() }
      continue
    }
    const length = wireType === 2 ? varint() : FIXED_BYTES[wireType]
    if (length === undefined) throw new ProtobufError(`field ${number} has the unknown wire type ${wireType}`)
    if (length > bytes.length - at) throw new ProtobufError(`field ${number} ends behind the end of its message`)
    const content = bytes.subarray(at, at + length)
    at += length
    yield wireType === 2 ? { number, kind: 'bytes', bytes: content } : { number, kind: 'fixed' }
  }
}
