import {
  type DiffusionConfig,
  type DiffusionManifest,
  latentScale,
  partFiles,
  picturePixelsMax,
  type WeightFile
} from '@resultity/interface'

const F32 = Float32Array.BYTES_PER_ELEMENT

export interface DiffusionMemory {
  /** Bytes of all weights as the runtime has them: f32, whatever they are on the disk. */
  readonly weightBytes: number
  /** Bytes that the largest run needs beside them. */
  readonly workBytes: number
}

/** What serving a model that draws pictures needs. Pure; the planner's input and the node's admission check. */
export function diffusionMemory({ config, layers }: DiffusionManifest): DiffusionMemory {
  const weightBytes = F32 * countOf(layers)
  const pixels = picturePixelsMax(config)
  // runs take turns
  return { weightBytes, workBytes: Math.max(coderBytes(config, pixels), denoiserBytes(config, pixels)) }
}

/**
 * Where the decoder's last level begins: what comes from the level before, doubled, normalized, its sigmoid and their product,
 * and what becomes of it.
 */
function coderBytes({ coder }: DiffusionConfig, pixels: number): number {
  const [finest = 0, coarser = finest] = coder.levels
  return pixels * (4 * coarser + 2 * finest) * F32
}

/** Where the denoiser ends: all that the way down has kept, and the feed-forward of its finest level, four times as wide and gated. */
function denoiserBytes(config: DiffusionConfig, pixels: number): number {
  const { levels } = config.denoiser
  const positions = pixels / latentScale(config) ** 2
  const kept = levels.reduce(
    (sum, { channels, blockCount }, level) => sum + (channels * (blockCount + 1)) / 4 ** level,
    0
  )
  const [finest] = levels
  return positions * (kept + 24 * (finest?.channels ?? 0)) * F32
}

/** Multiplications of one position of the latents in a step. Deep levels have fewer positions: a guess that only orders nodes. */
export function diffusionWork(manifest: DiffusionManifest): number {
  return countOf(partFiles(manifest).denoiser)
}

/** Numbers in weight files. */
function countOf(files: readonly WeightFile[]): number {
  let count = 0
  for (const tensor of files.flatMap(({ tensors }) => tensors)) {
    count +=
      'shape' in tensor ? tensor.shape.reduce((product, size) => product * size, 1) : tensor.rows * tensor.columns
  }
  return count
}
