import { MeshError } from '@resultity/interface'
import protobuf from 'protobufjs/minimal.js'

/** Turns the messages of one side of a protocol into bytes, and the other side's bytes into messages. */
export interface FrameCodec<Out, In> {
  /**
   * The protobuf body, in one or several parts. Large payloads are parts of their own, by reference.
   *
   * @param headroom bytes to leave free at the start of the first part; for the caller's frame header
   */
  encode(message: Out, headroom?: number): Uint8Array | Uint8Array[]
  /**
   * `bytes` of a decoded message may be views of the given ones.
   *
   * @throws MeshError `protocol_violation` when the bytes are not a message of this protocol, or a field is out of
   * bounds; `protocol_version` when a first message names another version
   */
  decode(bytes: Uint8Array): In
  /**
   * The last message to a peer that broke the protocol or asked for something that it may not have. Absent: no message.
   */
  fault?(error: MeshError): Out
}

/** The class that pbjs generates for each message. */
interface GeneratedType<Properties, Message> {
  encode(message: Properties, writer?: protobuf.Writer): protobuf.Writer
  decode(bytes: Uint8Array): Message
}

/** Encodes with the generated code, leaving `headroom` bytes at the start. */
export function encodeGenerated<Properties>(
  type: GeneratedType<Properties, unknown>,
  message: Properties,
  headroom = 0
): Uint8Array {
  const writer = protobuf.Writer.create()
  for (let reserved = 0; reserved < headroom; reserved += 4) writer.fixed32(0)
  return type.encode(message, writer).finish()
}

/**
 * Decodes with the generated code.
 * @throws MeshError `protocol_violation`
 */
export function decodeGenerated<Message>(
  type: GeneratedType<never, Message>,
  bytes: Uint8Array,
  protocol: string
): Message {
  try {
    return type.decode(bytes)
  } catch (cause) {
    throw violation(`a ${protocol} frame of ${bytes.length} bytes is not valid protobuf`, cause)
  }
}

/** A `protocol_violation` with the hint that fits every one of them. */
export function violation(message: string, cause?: unknown): MeshError {
  return new MeshError('protocol_violation', message, {
    hint: 'The peer is faulty or runs another release; compare the versions on both sides.',
    cause
  })
}
