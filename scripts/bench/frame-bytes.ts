import { stageCodec } from '@resultity/wire'

/** The length in front of every frame. */
export const FRAME_HEADER_BYTES_OF_WIRE = 4

/** Bytes of the frame that carries one decoded position to the next stage. */
export function stageFrameBytes(hiddenSize: number): number {
  const body = stageCodec.encode({
    type: 'activations',
    session: new Uint8Array(16),
    epoch: 1,
    position: 1000,
    count: 1,
    hidden: new Uint8Array(hiddenSize * Float32Array.BYTES_PER_ELEMENT)
  })
  const parts = Array.isArray(body) ? body : [body]
  return parts.reduce((sum, part) => sum + part.length, 0)
}
