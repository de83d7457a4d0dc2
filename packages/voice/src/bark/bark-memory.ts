import { type BarkConfig, type BarkManifest, weightFiles } from '@resultity/interface'

export interface BarkMemory {
  /** Bytes of all weight files, and of the heads, which are kept a second time as products read them. */
  readonly weightBytes: number
  /** Bytes that one sentence needs beside them: one is said at a time. */
  readonly workBytes: number
}

const F32 = Float32Array.BYTES_PER_ELEMENT

/** What serving a Bark needs. Pure; the planner's input and the node's admission check. */
export function barkMemory(manifest: BarkManifest): BarkMemory {
  const { config } = manifest
  const { semantic, coarse } = config
  const files = weightFiles(manifest).reduce((sum, file) => sum + file.bytes, 0)
  const heads = semantic.outputVocabularySize * semantic.hiddenSize + coarse.vocabularySize * coarse.hiddenSize
  // parts take turns, and each gives back what it took
  const work = [writtenBytes(semantic), writtenBytes(coarse), fineBytes(config), codecBytes(config)]
  return { weightBytes: files + heads * F32, workBytes: Math.max(...work) }
}

/** Multiplications of one token on one layer, on average. */
export function barkWork({ semantic, coarse }: BarkConfig): number {
  return 6 * (semantic.hiddenSize ** 2 + coarse.hiddenSize ** 2)
}

/** Keys and values of all positions, and a run of as many: states, scores of all heads, their softmax, the wide state. */
function writtenBytes({
  layerCount,
  headCount,
  hiddenSize,
  context
}: BarkConfig['semantic'] | BarkConfig['coarse']): number {
  const cache = 2 * layerCount * context * hiddenSize
  return (cache + context * 18 * hiddenSize + 2 * headCount * context ** 2) * F32
}

/** As of a run of what is written, with the vectors of all codebooks, and the logits. */
function fineBytes({ fine }: BarkConfig): number {
  const { inputLength, hiddenSize, headCount, codebookCount, vocabularySize } = fine
  const states = inputLength * ((18 + codebookCount) * hiddenSize + 2 * vocabularySize)
  return (states + 2 * headCount * inputLength ** 2 + vocabularySize * hiddenSize) * F32
}

/** The longest sound: at every length, states before and behind an operator, padded, and a unit's. */
function codecBytes({ semantic, coarse, codec }: BarkConfig): number {
  const frames = Math.ceil((semantic.newTokensMax / semantic.rate) * coarse.rate)
  let channels = codec.filterCount * 2 ** codec.ratios.length
  let length = frames
  let most = length * channels * 8
  for (const ratio of codec.ratios) {
    channels /= 2
    length *= ratio
    most = Math.max(most, length * channels * 6)
  }
  return most * F32
}
