import { type SpeechManifest, type WhisperConfig, weightFiles } from '@resultity/interface'

export interface SpeechMemoryInit {
  readonly manifest: SpeechManifest
  /** Windows open at once. */
  readonly windowsMax: number
  /** Sessions open at once on each. */
  readonly sessionsPerWindow: number
}

export interface SpeechMemory {
  /** Bytes of all weight files, and of the head, which is kept a second time as products read it. */
  readonly weightBytes: number
  /** Bytes of the keys and values of all windows and sessions. */
  readonly cacheBytes: number
  /** Bytes that the largest run needs beside them. */
  readonly workBytes: number
}

const F32 = Float32Array.BYTES_PER_ELEMENT

/** What serving a whole speech model needs. Pure; the planner's input and the node's admission check. */
export function speechMemory({ manifest, windowsMax, sessionsPerWindow }: SpeechMemoryInit): SpeechMemory {
  const { config } = manifest
  const files = new Map(weightFiles(manifest).map(file => [file.sha256, file.bytes]))
  const headBytes = config.vocabularySize * config.hiddenSize * F32
  return {
    weightBytes: [...files.values()].reduce((sum, bytes) => sum + bytes, headBytes),
    cacheBytes: windowsMax * (windowBytes(config) + sessionsPerWindow * sessionBytes(config)),
    // runs take turns
    workBytes: Math.max(hearingBytes(config), writingBytes(config))
  }
}

/** Keys and values that cross attention reads of one window. */
export function windowBytes({ decoderLayerCount, audioContext, hiddenSize }: WhisperConfig): number {
  return 2 * decoderLayerCount * audioContext * hiddenSize * F32
}

/** Keys and values of one session's tokens. */
export function sessionBytes({ decoderLayerCount, textContext, hiddenSize }: WhisperConfig): number {
  return 2 * decoderLayerCount * textContext * hiddenSize * F32
}

/** The spectrogram, the convolutions with what they gather, hidden states with q, k and v, the wide state of the feed-forward. */
function hearingBytes({ melBins, audioContext, hiddenSize, encoderFeedForwardSize }: WhisperConfig): number {
  const frames = 2 * audioContext
  const convolutions = frames * (melBins + 2 * hiddenSize + 3 * Math.max(melBins, hiddenSize))
  const layer = audioContext * (8 * hiddenSize + 2 * encoderFeedForwardSize)
  return (convolutions + layer) * F32
}

/** A run of as many tokens as there may be: hidden states, scores and their softmax, where heads look, the logits of all. */
function writingBytes(config: WhisperConfig): number {
  const { textContext, audioContext, hiddenSize, decoderFeedForwardSize, decoderHeadCount } = config
  const scores = 2 * decoderHeadCount * audioContext
  const looks = 3 * config.alignmentHeads.length * audioContext
  const perToken = 8 * hiddenSize + 2 * decoderFeedForwardSize + scores + looks + 2 * config.vocabularySize
  return textContext * perToken * F32
}
