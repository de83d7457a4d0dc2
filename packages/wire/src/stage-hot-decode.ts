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

/** The fields of a frame that is sent once for every token, as its bytes have them. Not yet checked. */
export interface HotFields {
  readonly body: 'activations' | 'next' | 'sampled'
  readonly session: Uint8Array | null
  readonly epoch: number
  readonly position: number
  /** Field 4: a count in activations, a token elsewhere. */
  readonly count: number
  readonly token: number
  readonly finish: number
  readonly logprob: number
  readonly hidden: Uint8Array | null
}

const BODIES: Readonly<Record<number, HotFields['body']>> = {
  [BODY_ACTIVATIONS]: 'activations',
  [BODY_NEXT]: 'next',
  [BODY_SAMPLED]: 'sampled'
}

/**
 * Reads a frame as our own encoders write it: each field once, in the order of its number, nothing else.
 *
 * The generated decoder can read every message. This one exists because a frame of every token waits for it, and the
 * model run before it has emptied the caches: few lines and few allocations make it fast.
 *
 * @returns undefined for any other bytes, valid ones among them; the generated decoder decides about those
 */
export function decodeHotFrame(bytes: Uint8Array): HotFields | undefined {
  const body = BODIES[bytes[0] ?? 0]
  if (body === undefined) return undefined
  const cursor = new Cursor(bytes)
  if (cursor.varint() !== bytes.length - cursor.at) return undefined
  const session = cursor.takes(SESSION) ? cursor.bytes() : null
  const epoch = cursor.field(EPOCH)
  const position = cursor.field(POSITION)
  const token = cursor.field(COUNT_OR_TOKEN)
  // an enum is signed, the other numbers are not
  const finish = body === 'sampled' ? cursor.field(FINISH) | 0 : 0
  const logprob = body === 'sampled' && cursor.takes(LOGPROB) ? cursor.float() : 0
  const hidden = body === 'activations' && cursor.takes(HIDDEN) ? cursor.bytes() : null
  if (cursor.at !== bytes.length) return undefined
  return { body, session, epoch, position, count: token, token, finish, logprob, hidden }
}

/** Reads on from the first tag. Past the end, or at a number beyond 32 bits, it stands at -1 for good. */
class Cursor {
  at = 1
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Steps over `tag` if it is next. */
  takes(tag: number): boolean {
    if (this.#bytes[this.at] !== tag) return false
    this.at++
    return true
  }

  /** A number that is left out when it is zero. */
  field(tag: number): number {
    return this.takes(tag) ? this.varint() : 0
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 35 && this.at >= 0; shift += 7) {
      const byte = this.#bytes[this.at++]
      if (byte === undefined || (shift === 28 && byte > 0x0f)) break
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    this.at = -1
    return 0
  }

  bytes(): Uint8Array | null {
    const length = this.varint()
    const start = this.#skip(length)
    return start < 0 ? null : this.#bytes.subarray(start, start + length)
  }

  float(): number {
    const start = this.#skip(Float32Array.BYTES_PER_ELEMENT)
    if (start < 0) return 0
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + start).getFloat32(0, true)
  }

  /** @returns where the skipped bytes begin, or -1 when there are not as many */
  #skip(count: number): number {
    const start = this.at
    this.at = start >= 0 && start + count <= this.#bytes.length ? start + count : -1
    return this.at < 0 ? -1 : start
  }
}
