import { MeshError } from '@resultity/interface'
import type { Bytes } from './byte-stream.ts'
import type { ByteBudget } from './receive-budget.ts'

/** Each frame starts with the length of its body, u32 little endian. */
export const FRAME_HEADER_BYTES = 4

/**
 * Cuts a stream of bytes, in pieces of any size, into frame bodies.
 *
 * A body inside one piece is handed out as a view of that piece. A body that spans pieces is copied together once. It
 * never allocates more than the limit allows.
 */
export class FrameReader {
  /** Largest body accepted, from the next frame on. */
  bodyBytesMax: number
  readonly #budget: ByteBudget | undefined
  readonly #pieces: Uint8Array[] = []
  #bytesQueued = 0
  /** The body being put together from several pieces, and how much of it is there. */
  #body: Uint8Array | undefined
  #bodyFilled = 0
  /** The frame header, while it spans two pieces. */
  #header = 0
  #headerFilled = 0

  /**
   * @param bodyBytesMax largest body accepted
   * @param budget what bodies in several pieces take their bytes from, until they are handed out
   */
  constructor(bodyBytesMax: number, budget?: ByteBudget) {
    this.bodyBytesMax = bodyBytesMax
    this.#budget = budget
  }

  /** Bytes pushed that `next` has not yet looked at. */
  get bytesQueued(): number {
    return this.#bytesQueued
  }

  /** Pieces in which these bytes lie: each costs memory beyond its bytes. */
  get piecesQueued(): number {
    return this.#pieces.length
  }

  /** True between frames: the stream may end here. */
  get empty(): boolean {
    return this.#bytesQueued === 0 && this.#headerFilled === 0 && this.#body === undefined
  }

  /** Drops all received bytes. The reader cannot be used afterwards. */
  clear(): void {
    if (this.#body !== undefined) this.#budget?.give(this.#body.length)
    this.#body = undefined
    this.#pieces.length = 0
    this.#bytesQueued = 0
    this.#headerFilled = 0
  }

  push(data: Bytes): void {
    if (data instanceof Uint8Array) this.#pushPiece(data)
    else for (const piece of data) this.#pushPiece(piece)
  }

  /**
   * The next complete body, or undefined until more has been pushed.
   * @throws MeshError `frame_too_large`, `resource_exhausted`, before anything is allocated for the frame
   */
  next(): Uint8Array | undefined {
    while (this.#body === undefined) {
      const piece = this.#pieces[0]
      if (piece === undefined) return undefined
      if (this.#headerFilled > 0 || piece.length < FRAME_HEADER_BYTES) {
        if (!this.#collectHeader(piece)) continue
        this.#startBody(this.#header >>> 0)
        continue
      }
      const length = readHeader(piece)
      if (length > this.bodyBytesMax) throw this.#tooLarge(length)
      const end = FRAME_HEADER_BYTES + length
      if (piece.length >= end) {
        this.#take(piece, end)
        return piece.subarray(FRAME_HEADER_BYTES, end)
      }
      this.#take(piece, FRAME_HEADER_BYTES)
      this.#startBody(length)
    }
    return this.#fillBody(this.#body)
  }

  #pushPiece(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#pieces.push(piece)
    this.#bytesQueued += piece.length
  }

  /** Takes `count` bytes off the first piece, which is `piece`. */
  #take(piece: Uint8Array, count: number): void {
    this.#bytesQueued -= count
    if (count === piece.length) this.#pieces.shift()
    else this.#pieces[0] = piece.subarray(count)
  }

  /** Adds header bytes from `piece`; true when the header is complete. */
  #collectHeader(piece: Uint8Array): boolean {
    const count = Math.min(FRAME_HEADER_BYTES - this.#headerFilled, piece.length)
    for (let index = 0; index < count; index++) {
      this.#header |= (piece[index] ?? 0) << (8 * this.#headerFilled++)
    }
    this.#take(piece, count)
    return this.#headerFilled === FRAME_HEADER_BYTES
  }

  #startBody(length: number): void {
    this.#header = 0
    this.#headerFilled = 0
    if (length > this.bodyBytesMax) throw this.#tooLarge(length)
    if (this.#budget?.take(length) === false) {
      throw new MeshError(
        'resource_exhausted',
        `a frame of ${length} bytes beside other unfinished ones of this peer`,
        {
          hint: 'Send one frame to its end before the next, or fewer at a time.',
          details: { bytes: length }
        }
      )
    }
    // pages of an unfilled buffer cost no memory until the peer has sent the bytes for them
    this.#body = Buffer.allocUnsafeSlow(length)
    this.#bodyFilled = 0
  }

  #fillBody(body: Uint8Array): Uint8Array | undefined {
    while (this.#bodyFilled < body.length) {
      const piece = this.#pieces[0]
      if (piece === undefined) return undefined
      const count = Math.min(body.length - this.#bodyFilled, piece.length)
      body.set(count === piece.length ? piece : piece.subarray(0, count), this.#bodyFilled)
      this.#bodyFilled += count
      this.#take(piece, count)
    }
    this.#body = undefined
    this.#budget?.give(body.length)
    return body
  }

  #tooLarge(length: number): MeshError {
    return new MeshError('frame_too_large', `a frame of ${length} bytes, the limit is ${this.bodyBytesMax}`, {
      hint: 'The peer is faulty, runs another release, or has another frame limit set.',
      details: { bytes: length, bytesMax: this.bodyBytesMax }
    })
  }
}

function readHeader(piece: Uint8Array): number {
  return ((piece[0] ?? 0) | ((piece[1] ?? 0) << 8) | ((piece[2] ?? 0) << 16) | ((piece[3] ?? 0) << 24)) >>> 0
}

/** Writes `length` into the first bytes of `target`. */
export function writeHeader(target: Uint8Array, length: number): void {
  target[0] = length & 0xff
  target[1] = (length >>> 8) & 0xff
  target[2] = (length >>> 16) & 0xff
  target[3] = length >>> 24
}
