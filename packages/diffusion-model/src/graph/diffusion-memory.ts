import {
  type ClipTextConfig,
  type DenoiserConfig,
  type DiffusionConfig,
  type DiffusionManifest,
  type DiffusionSection,
  diffusionSections,
  type LayerRange,
  latentScale,
  type PictureCoderConfig,
  PROMPT_CHUNKS_MAX,
  type PriorConfig,
  partFiles,
  picturePixelsMax,
  sectionRanges,
  sectionsWithin,
  type WeightFile
} from '@resultity/interface'

export interface DiffusionMemory {
  /**
   * Bytes of weight files, which the runtime keeps as it packs them. What looks at pictures beside a prior is asked once, before the
   * rest is loaded: the larger of both.
   */
  readonly weightBytes: number
  /** Bytes that the largest run of a component needs beside them; runs take turns, and give back what they took. */
  readonly workBytes: number
}

const F32 = Float32Array.BYTES_PER_ELEMENT

/**
 * What serving the sections of a diffusion model needs that lie in `range`. Pure; the planner's input and the node's admission check.
 *
 * @param range default: all layers
 */
export function diffusionMemory(manifest: DiffusionManifest, range?: LayerRange): DiffusionMemory {
  const { first, end } = range ?? { first: 0, end: manifest.layers.length }
  const looking = new Set(partFiles(manifest).sight)
  const files = manifest.layers.slice(first, end)
  const weightBytes = Math.max(
    bytesOf(files.filter(file => looking.has(file))),
    bytesOf(files.filter(file => !looking.has(file)))
  )
  const work = sectionWork(manifest.config)
  const sections = [...sectionsWithin(manifest, { first, end })]
  return { weightBytes, workBytes: sections.reduce((most, section) => Math.max(most, work[section]), 0) }
}

/** The same bytes of work for each layer: those that a run of its section needs. For models that may be cut. */
export function workBytesPerLayer(manifest: DiffusionManifest): number[] {
  const work = sectionWork(manifest.config)
  const ranges = sectionRanges(manifest)
  return diffusionSections.flatMap(section => {
    const { first, end } = ranges[section]
    return new Array<number>(end - first).fill(work[section])
  })
}

function bytesOf(files: readonly WeightFile[]): number {
  const once = new Map(files.map(({ sha256, bytes }) => [sha256, bytes]))
  return [...once.values()].reduce((sum, bytes) => sum + bytes, 0)
}

/** Multiplications of one position of the latents in a step. Deep levels have fewer positions: a guess that only orders nodes. */
export function diffusionWork(manifest: DiffusionManifest): number {
  return partFiles(manifest).denoiser.reduce((sum, { bytes }) => sum + bytes, 0) / F32
}

/**
 * Of one run of the largest component of each section. Measured of Stable Diffusion 1.5: its denoiser took 0.75 of this at 1024², its decoder at
 * most 0.98 at 768².
 */
function sectionWork(config: DiffusionConfig): Readonly<Record<DiffusionSection, number>> {
  const pixels = picturePixelsMax(config)
  const latents = Math.ceil(pixels / latentScale(config) ** 2)
  const length = PROMPT_CHUNKS_MAX * (config.textEncoders[0]?.length ?? 0)
  return {
    text: Math.ceil(Math.max(...config.textEncoders.map(textBytes), ...(config.prior ? priorBytes(config.prior) : []))),
    denoiser: Math.ceil(denoisingBytes(config.denoiser, latents, length)),
    coder: Math.ceil(codingBytes(config.coder, pixels))
  }
}

/** Hidden states with q, k and v, and the wide state of the feed-forward, of one chunk. */
function textBytes({
  length,
  hiddenSize,
  intermediateSize
}: Pick<ClipTextConfig, 'length' | 'hiddenSize' | 'intermediateSize'>): number {
  return length * (10 * hiddenSize + 3 * intermediateSize) * F32
}

/** The same of a prior, whose feed-forward is four times as wide, and of what looks at pictures. */
function priorBytes({ length, hiddenSize, sight }: PriorConfig): number[] {
  const positions = (sight.pictureSize / sight.patchSize) ** 2 + 1
  return [
    // with the scores of all heads
    2 * textBytes({ length: 2 * length, hiddenSize, intermediateSize: 4 * hiddenSize }),
    2 * textBytes({ length: positions, ...sight })
  ]
}

/**
 * Pixels that are live at once around a residual block, in its widest tensor's size: what goes in, what is normed, what comes out of
 * each convolution and what the runtime reorders for it.
 */
const RESIDUAL_TENSORS = 6
/**
 * Rows in a transformer layer, in its width: eight times that what the gated feed-forward projects to, twice as much again for its
 * halves, the half that is bent, the product; states, q, k and v.
 */
const TRANSFORMER_ROWS = 28

/** What the way down keeps for the way up, and the widest block. */
function denoisingBytes({ levels, contextSize }: DenoiserConfig, latents: number, length: number): number {
  let kept = levels[0]?.channels ?? 0
  let widest = 0
  for (const [index, { channels, blockCount, attends }] of levels.entries()) {
    const share = 4 ** -index
    const coarser = levels[index + 1]?.channels ?? channels
    kept += blockCount * channels * share + (index + 1 < levels.length ? (channels * share) / 4 : 0)
    // on the way up, what comes from below stands beside what was kept
    const joined = RESIDUAL_TENSORS * (coarser + channels)
    const rows = attends || index + 1 === levels.length ? TRANSFORMER_ROWS * channels : 0
    widest = Math.max(widest, share * Math.max(joined, rows))
  }
  const text = length * (contextSize + 4 * Math.max(...levels.map(({ channels }) => channels)))
  return ((kept + widest) * latents + text) * F32
}

/** The widest residual block; decoders enter a level with the channels of the coarser one. */
function codingBytes({ levels }: PictureCoderConfig, pixels: number): number {
  const widest = levels.map((channels, index) => Math.max(channels, levels[index + 1] ?? channels) * 4 ** -index)
  return RESIDUAL_TENSORS * Math.max(...widest) * pixels * F32
}
