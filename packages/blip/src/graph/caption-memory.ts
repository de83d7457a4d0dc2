import { type BlipConfig, type CaptionManifest, lookedAtLength, weightFiles } from '@resultity/interface'

export interface CaptionMemoryInit {
  readonly manifest: CaptionManifest
  /** Pictures open at once. */
  readonly picturesMax: number
}

export interface CaptionMemory {
  /** Bytes of all weight files, and of the head, which is kept a second time as products read it. */
  readonly weightBytes: number
  /** Bytes of the keys and values of all pictures and their texts. */
  readonly cacheBytes: number
  /** Bytes that the largest run needs beside them. */
  readonly workBytes: number
}

const F32 = Float32Array.BYTES_PER_ELEMENT

/** What serving a whole BLIP needs. Pure; the planner's input and the node's admission check. */
export function captionMemory({ manifest, picturesMax }: CaptionMemoryInit): CaptionMemory {
  const { config } = manifest
  const files = new Map(weightFiles(manifest).map(file => [file.sha256, file.bytes]))
  const headBytes = config.vocabularySize * config.text.hiddenSize * F32
  return {
    weightBytes: [...files.values()].reduce((sum, bytes) => sum + bytes, headBytes),
    cacheBytes: picturesMax * pictureBytes(config),
    // runs take turns
    workBytes: Math.max(lookingBytes(config) + readingBytes(config), writingBytes(config))
  }
}

/** Positions that are written about: the picture's, or those of the longest question. */
function aboutLength(config: BlipConfig): number {
  return config.task === 'answer' ? config.textContext : lookedAtLength(config)
}

/** Keys and values of one picture, and of the tokens of its text. */
export function pictureBytes(config: BlipConfig): number {
  const { text, textContext } = config
  return 2 * text.layerCount * (aboutLength(config) + textContext) * text.hiddenSize * F32
}

/** Pixels, hidden states with q, k and v, the scores of all heads and their softmax, the wide state of the feed-forward. */
function lookingBytes(config: BlipConfig): number {
  const { imageSize, vision } = config
  const length = lookedAtLength(config)
  const scores = 2 * vision.headCount * length ** 2
  const layer = length * (8 * vision.hiddenSize + 2 * vision.feedForwardSize) + scores
  return (2 * 3 * imageSize ** 2 + layer + pictureBytes(config) / F32) * F32
}

/** Of the longest question: hidden states, the scores of it and of the picture, and the picture's keys and values. */
function readingBytes(config: BlipConfig): number {
  const { task, text, textContext } = config
  if (task !== 'answer') return 0
  const length = lookedAtLength(config)
  const scores = 2 * text.headCount * textContext * (textContext + length)
  const states = textContext * (8 * text.hiddenSize + 2 * text.feedForwardSize)
  return (scores + states + 4 * length * text.hiddenSize) * F32
}

/** A run of as many tokens as there may be: hidden states, scores and their softmax, the logits of all. */
function writingBytes(config: BlipConfig): number {
  const { text, textContext, vocabularySize } = config
  const scores = 2 * text.headCount * (aboutLength(config) + textContext)
  const perToken = 8 * text.hiddenSize + 2 * text.feedForwardSize + scores + 2 * vocabularySize
  return textContext * perToken * F32
}
