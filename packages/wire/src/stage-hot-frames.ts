import {
  BODY_ACTIVATIONS,
  BODY_NEXT,
  BODY_SAMPLED,
  COUNT_OR_TOKEN,
  EPOCH,
  FINISH,
  HIDDEN,
  LOGPROB,
  POSITION,
  SESSION
} from './stage-hot-tags.ts'
import type { Activations, NextToken, Sampled } from './stage-messages.ts'

/**
 * Encoders of the frames sent once for every token, byte-identical to the generated code (a test holds them to it).
 * A stage sends right after the model run has swept the caches, so what counts is few lines and few allocations.
 */

const SESSION_FIELD_BYTES = 18
const FINISH_NUMBER = { continues: 0, end_token: 1, tokens_max: 2 } as const

/** Hidden states up to this size are copied after the header: the copy costs less than sending a second piece. */
const COPIED_BYTES_MAX = 32 * 1024

/** The frame in one piece when it is small, else its head, and `hidden` itself. */
export function encodeActivations(frame: Activations, headroom: number): Uint8Array[] {
  const { session, epoch, position, count, hidden } = frame
  const tail = hidden.length === 0 ? 0 : 1 + varintBytes(hidden.length)
  const fields = SESSION_FIELD_BYTES + fieldBytes(epoch) + fieldBytes(position) + fieldBytes(count) + tail
  const length = fields + hidden.length
  const headBytes = headroom + 1 + varintBytes(length) + fields
  const copied = hidden.length <= COPIED_BYTES_MAX
  const head = Buffer.allocUnsafe(copied ? headBytes + hidden.length : headBytes)
  let at = writeStart(head, headroom, BODY_ACTIVATIONS, length, session)
  at = writeField(head, at, EPOCH, epoch)
  at = writeField(head, at, POSITION, position)
  at = writeField(head, at, COUNT_OR_TOKEN, count)
  writeField(head, at, HIDDEN, hidden.length)
  if (!copied) return [head, hidden]
  head.set(hidden, headBytes)
  return [head]
}

export function encodeNextToken(frame: NextToken, headroom: number): Uint8Array {
  const { session, epoch, position, token } = frame
  const length = SESSION_FIELD_BYTES + fieldBytes(epoch) + fieldBytes(position) + fieldBytes(token)
  const bytes = Buffer.allocUnsafe(headroom + 1 + varintBytes(length) + length)
  let at = writeStart(bytes, headroom, BODY_NEXT, length, session)
  at = writeField(bytes, at, EPOCH, epoch)
  at = writeField(bytes, at, POSITION, position)
  writeField(bytes, at, COUNT_OR_TOKEN, token)
  return bytes
}

/** For a frame without `top`. */
export function encodeSampled(frame: Sampled, headroom: number): Uint8Array {
  const { session, epoch, position, token, logprob } = frame
  const finish = FINISH_NUMBER[frame.finish]
  // protobuf leaves out a zero, but not a negative one
  const withLogprob = !Object.is(logprob, 0)
  const length =
    SESSION_FIELD_BYTES +
    (fieldBytes(epoch) + fieldBytes(position) + fieldBytes(token) + fieldBytes(finish)) +
    (withLogprob ? 5 : 0)
  const bytes = Buffer.allocUnsafe(headroom + 1 + varintBytes(length) + length)
  let at = writeStart(bytes, headroom, BODY_SAMPLED, length, session)
  at = writeField(bytes, at, EPOCH, epoch)
  at = writeField(bytes, at, POSITION, position)
  at = writeField(bytes, at, COUNT_OR_TOKEN, token)
  at = writeField(bytes, at, FINISH, finish)
  if (withLogprob) bytes.writeFloatLE(logprob, bytes.writeUInt8(LOGPROB, at))
  return bytes
}

/** Writes the tag and length of the body and its first field, the session. */
function writeStart(target: Buffer, start: number, tag: number, length: number, session: Uint8Array): number {
  target[start] = tag
  const at = writeVarint(target, start + 1, length)
  target[at] = SESSION
  target[at + 1] = session.length
  target.set(session, at + 2)
  return at + SESSION_FIELD_BYTES
}

/** A zero is left out, as proto3 asks. */
function writeField(target: Buffer, at: number, tag: number, value: number): number {
  if (value === 0) return at
  target[at] = tag
  return writeVarint(target, at + 1, value)
}

function fieldBytes(value: number): number {
  return value === 0 ? 0 : 1 + varintBytes(value)
}

function writeVarint(target: Buffer, start: number, value: number): number {
  let at = start
  let rest = value >>> 0
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

function varintBytes(value: number): number {
  const bits = 32 - Math.clz32(value >>> 0)
  return bits <= 7 ? 1 : Math.ceil(bits / 7)
}
