import { MeshError } from '@resultity/interface'
import { type FrameCodec, type FrameHandlers, FrameStream, type FrameStreamInit } from '../src/index.ts'
import { MemoryStream } from './memory-stream.ts'

/** Frames are plain bytes; a body that starts with 0xff is garbage. */
export const rawCodec: FrameCodec<Uint8Array, Uint8Array> = {
  encode: (frame, headroom = 0) => [Buffer.alloc(headroom), frame],
  decode(body) {
    if (body[0] === 0xff) throw new MeshError('protocol_violation', 'garbage')
    return body
  },
  fault: error => Buffer.from(error.code)
}

export const LIMITS: FrameStreamInit = { frameBytesMax: 1024 * 1024 }

export interface Received {
  readonly frames: Uint8Array[]
  readonly ended: Promise<MeshError | undefined>
  endCalls: number
  readonly handlers: FrameHandlers<Uint8Array>
}

export function receive(onFrame: (frame: Uint8Array) => void | Promise<void> = () => {}): Received {
  const { promise: ended, resolve } = Promise.withResolvers<MeshError | undefined>()
  const received: Received = {
    frames: [],
    ended,
    endCalls: 0,
    handlers: {
      onFrame(frame) {
        received.frames.push(frame)
        return onFrame(frame)
      },
      onEnd(error) {
        received.endCalls++
        resolve(error)
      }
    }
  }
  return received
}

export function pair(
  pieceBytes: number,
  windowBytes: number,
  init = LIMITS,
  onFrame?: (frame: Uint8Array) => void | Promise<void>
) {
  const [near, far] = MemoryStream.pair({ pieceBytes, windowBytes })
  const [atNear, atFar] = [receive(), receive(onFrame)]
  return {
    near,
    far,
    atNear,
    atFar,
    nearFrames: new FrameStream(near, rawCodec, atNear.handlers, init),
    farFrames: new FrameStream(far, rawCodec, atFar.handlers, init)
  }
}

/** The bytes of a frame as they travel. */
export function framed(body: Uint8Array): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32LE(body.length)
  return Buffer.concat([header, body])
}

export function body(length: number, fill: number): Uint8Array {
  return new Uint8Array(length).fill(fill)
}
