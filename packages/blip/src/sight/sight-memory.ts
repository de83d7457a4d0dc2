import { type ManifestSight, PICTURE_PIECES_MAX, patchCount, pieceBytes, statesOfPiece } from '@resultity/interface'

export interface SightMemory {
  /** Bytes of all weight files. */
  readonly weightBytes: number
  /** Bytes that the largest run needs beside them, and the pieces of one request. */
  readonly workBytes: number
}

const F32 = Float32Array.BYTES_PER_ELEMENT

/**
 * What looking at pictures needs beside the first stage. Pure; the planner's input and the node's admission check.
 *
 * @param hiddenSize numbers of a state of the decoder
 */
export function sightMemory({ config, files }: ManifestSight, hiddenSize: number): SightMemory {
  const { tower, imageSize } = config
  const patches = patchCount(config)
  const own = new Map(files.map(file => [file.sha256, file.bytes]))
  // hidden states with q, k and v, the scores of all heads and their softmax, the wide state of the feed-forward
  const scores = 2 * tower.headCount * patches ** 2
  const layer = patches * (8 * tower.hiddenSize + 2 * tower.feedForwardSize) + scores
  const waiting = PICTURE_PIECES_MAX * (pieceBytes(config) + statesOfPiece(config) * hiddenSize * F32)
  return {
    weightBytes: [...own.values()].reduce((sum, bytes) => sum + bytes, 0),
    workBytes: (2 * 3 * imageSize ** 2 + layer) * F32 + waiting
  }
}
