import { type EncoderConfig, type EncoderManifest, weightFiles } from '@resultity/interface'

/** Tokens that an encoder runs at once, filled-up ones included, unless one input alone has more. */
export const ENCODER_RUN_TOKENS_MAX = 2048

export interface EncoderMemory {
  /** Bytes of all weight files. */
  readonly weightBytes: number
  /** Bytes that the largest run needs beside them. */
  readonly workBytes: number
}

/** What serving a whole encoder needs. Pure; the planner's input and the node's admission check. */
export function encoderMemory(manifest: EncoderManifest): EncoderMemory {
  const files = new Map(weightFiles(manifest).map(file => [file.sha256, file.bytes]))
  return {
    weightBytes: [...files.values()].reduce((sum, bytes) => sum + bytes, 0),
    workBytes: workBytes(manifest.config)
  }
}

/** Hidden states in, q, k and v, attended and out; the scores of every head; the wide state of the feed-forward. */
function workBytes({ hiddenSize, intermediateSize, headCount, contextLength }: EncoderConfig): number {
  const tokens = Math.max(ENCODER_RUN_TOKENS_MAX, contextLength)
  const perToken = 6 * hiddenSize + 2 * intermediateSize + headCount * contextLength
  return tokens * perToken * Float32Array.BYTES_PER_ELEMENT
}
