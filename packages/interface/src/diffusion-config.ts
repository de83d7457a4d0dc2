import { z } from 'zod'
import { CHUNK_TOKENS_MAX, priorConfigSchema } from './prior-config.ts'

const size = z.int().positive()

/**
 * The rules by which noise becomes a picture: `ddim`, `ddpm`, which adds as much noise on the way as the training took, Euler's method,
 * the same that adds noise on the way (`euler_a`), DPM-Solver++ over two steps, latent consistency, and DPM-Solver++ and Euler's
 * method for models in EDM's terms. `karras` spaces noise closer where there is little.
 */
export const pictureSchedulers = [
  'ddim',
  'ddpm',
  'euler',
  'euler_karras',
  'euler_a',
  'dpmpp_2m',
  'dpmpp_2m_karras',
  'lcm',
  'edm',
  'edm_euler'
] as const
export type PictureScheduler = (typeof pictureSchedulers)[number]

/** How noise was added while a denoiser was trained, and what it predicts: a folder's `scheduler_config.json`. */
export const diffusionScheduleSchema = z.object({
  /** Training steps. */
  trainSteps: size.max(10_000),
  betaStart: z.number().positive().max(1),
  betaEnd: z.number().positive().max(1),
  betaSchedule: z.enum(['linear', 'scaled_linear', 'squaredcos_cap_v2']),
  prediction: z.enum(['epsilon', 'v_prediction', 'sample']),
  timestepSpacing: z.enum(['leading', 'trailing', 'linspace']),
  stepsOffset: z.int().nonnegative().max(1000),
  setAlphaToOne: z.boolean(),
  rescaleBetasZeroSnr: z.boolean(),
  /** No number of a picture without noise, as far as it can be told, is further from 0. Absent: any number is taken. */
  clip: z.number().positive().max(1000).optional(),
  /** Set for models in EDM's terms (Karras et al., arXiv:2206.00364), such as Playground v2.5. */
  sigmaData: z.number().positive().optional(),
  sigmaMin: z.number().positive().optional(),
  sigmaMax: z.number().positive().optional(),
  /** The scheduler that the publisher chose, where a request names none. */
  scheduler: z.enum(pictureSchedulers)
})
export type DiffusionSchedule = z.infer<typeof diffusionScheduleSchema>

const channels = size.max(65_536)
/** Added to a variance, so that nothing is divided by zero. */
const epsilon = z.number().min(1e-20).max(1)
const token = z.int().nonnegative().max(4_194_303)

/** A text encoder of CLIP (Radford et al., arXiv:2103.00020), or of OpenCLIP, which differs in sizes and in `activation`. */
export const clipTextConfigSchema = z
  .object({
    layerCount: size.max(1024),
    hiddenSize: channels,
    headCount: size.max(1024),
    intermediateSize: size.max(1_048_576),
    vocabularySize: size.max(4_194_304),
    /** Tokens of a chunk, those that frame it included; it takes no fewer. */
    length: size.min(3).max(CHUNK_TOKENS_MAX),
    activation: z.enum(['quick_gelu', 'gelu']),
    epsilon,
    /** Which states are a prompt's: of the last layer and normalized, or of the one before as they are. */
    states: z.enum(['last', 'second_last']),
    /** Size of the vector that a prompt has as a whole, made of the state at its end; absent where nothing reads it. */
    pooledSize: channels.optional(),
    beginToken: token,
    endToken: token,
    /** What fills a chunk behind its end. */
    padToken: token
  })
  .superRefine((config, { addIssue }) => {
    if (config.hiddenSize % config.headCount !== 0) {
      const message = `${config.hiddenSize} hidden values cannot be shared by ${config.headCount} heads evenly`
      addIssue({ code: 'custom', path: ['headCount'], message })
    }
    if (config.states === 'second_last' && config.layerCount < 2) {
      addIssue({ code: 'custom', path: ['layerCount'], message: 'one layer has none before it' })
    }
    for (const field of ['beginToken', 'endToken', 'padToken'] as const) {
      if (config[field] < config.vocabularySize) continue
      const message = `token ${config[field]} is not of a vocabulary of ${config.vocabularySize}`
      addIssue({ code: 'custom', path: [field], message })
    }
  })
export type ClipTextConfig = z.infer<typeof clipTextConfigSchema>

/** One resolution of a denoiser; on the way up it is as on the way down, with a block more. */
const denoiserLevelSchema = z
  .object({
    channels,
    /** Residual blocks on the way down. */
    blockCount: size.max(64),
    /** Whether its blocks attend to the text. The middle, which has the last level's sizes, always does where there is one. */
    attends: z.boolean(),
    headCount: size.max(1024),
    /** Layers of each attending block. */
    transformerDepth: size.max(64)
  })
  .refine(({ channels, headCount }) => channels % headCount === 0, {
    message: 'its channels cannot be shared by its heads evenly',
    path: ['headCount']
  })
export type DenoiserLevel = z.infer<typeof denoiserLevelSchema>

/** Numbers that {@link DenoiseInput.timeIds} has for a model that takes them: original size, crop, target size. */
export const TIME_ID_COUNT = 6

/** A UNet that attends to text (Rombach et al., arXiv:2112.10752; with additions of Podell et al., arXiv:2307.01952). */
export const denoiserConfigSchema = z
  .object({
    /** As many as the latents have; of a model that fills masks also the mask and the masked picture's. */
    inChannels: channels,
    outChannels: channels,
    levels: z.array(denoiserLevelSchema).min(1).max(8),
    /** Numbers of one position of the text. */
    contextSize: channels,
    /** False in a small model that has no blocks between the way down and the way up. */
    middle: z.literal(false).optional(),
    normGroups: size.max(1024),
    epsilon,
    /** What XL adds to the time: the pooled prompt and {@link TIME_ID_COUNT} numbers, each as `timeSize` waves. */
    addition: z.object({ pooledSize: channels, timeSize: channels.multipleOf(2) }).optional(),
    /**
     * Set where it draws an embedding of a picture (Kandinsky), which is then the one position of its text. The embedding becomes
     * `tokenCount` positions of `tokenSize`, and a part of the time. Pixels attend to them and to each other at once, the time scales
     * as well as shifts, residual blocks change the resolution, and how much noise to add is predicted, too.
     */
    embedding: z.object({ tokenCount: size.max(1024), tokenSize: channels }).optional()
  })
  .superRefine(({ levels, normGroups }, { addIssue }) => {
    for (const [index, level] of levels.entries()) {
      if (level.channels % normGroups === 0) continue
      const message = `${level.channels} channels do not make ${normGroups} groups`
      addIssue({ code: 'custom', path: ['levels', index, 'channels'], message })
    }
  })
export type DenoiserConfig = z.infer<typeof denoiserConfigSchema>

/** The autoencoder between pixels and latents (Rombach et al., arXiv:2112.10752). */
export const pictureCoderConfigSchema = z
  .object({
    latentChannels: channels,
    /** Channels of each resolution, the finest first. A picture's side is `2 ** (levels - 1)` times that of its latents. */
    levels: z.array(channels).min(1).max(8),
    /** Residual blocks of a level on the way down; on the way up there is one more. */
    blockCount: size.max(64),
    normGroups: size.max(1024),
    epsilon,
    /** Whether the middle attends. */
    middleAttends: z.boolean(),
    /** Whether latents pass a convolution of one pixel behind the encoder, and before the decoder. */
    afterEncoder: z.boolean(),
    beforeDecoder: z.boolean(),
    /** The sampler's latents are the encoder's, less {@link shift} (or `means`), times this (and over `stds`). */
    scalingFactor: z.number().positive().max(1000),
    shift: z.number().min(-1000).max(1000).default(0),
    /**
     * Set for MoVQ (Zheng et al., arXiv:2209.09002): a picture has one place in latents, its deepest level attends, and latents scale and
     * shift what the decoder's norms give, which have groups of their own number.
     */
    latentNorm: z.object({ normGroups: size.max(1024) }).optional(),
    /** Of each latent channel; both or none. */
    means: z.array(z.number()).max(65_536).optional(),
    stds: z.array(z.number().positive()).max(65_536).optional()
  })
  .superRefine(({ levels, normGroups, latentNorm, latentChannels, means, stds }, { addIssue }) => {
    for (const [index, level] of levels.entries()) {
      if (level % normGroups === 0 && level % (latentNorm?.normGroups ?? 1) === 0) continue
      const message = `${level} channels do not make ${normGroups} groups`
      addIssue({ code: 'custom', path: ['levels', index], message })
    }
    if (means === undefined && stds === undefined) return
    if (means?.length === latentChannels && stds?.length === latentChannels) return
    const message = `there is a mean and a deviation for each of ${latentChannels} channels, or none at all`
    addIssue({ code: 'custom', path: ['means'], message })
  })
export type PictureCoderConfig = z.infer<typeof pictureCoderConfigSchema>

/** Sizes and settings of a diffusion model: text encoders, a denoiser of latents, and the coder of pictures. */
export const diffusionConfigSchema = z
  .object({
    schedule: diffusionScheduleSchema,
    /** Each sees the whole prompt, and their states stand side by side. */
    textEncoders: z.array(clipTextConfigSchema).min(1).max(2),
    denoiser: denoiserConfigSchema,
    coder: pictureCoderConfigSchema,
    /** Stands between the text encoder and a denoiser that draws embeddings. */
    prior: priorConfigSchema.optional(),
    /** Whether the states of an empty negative prompt are zeros, as XL was trained. */
    zeroForEmpty: z.boolean(),
    /** Side in pixels of the pictures that the model was trained for, where a request names no size. */
    pictureSize: size.max(16_384)
  })
  .superRefine((config, context) => {
    for (const { path, message } of wrongSizes(config)) context.addIssue({ code: 'custom', path, message })
  })
export type DiffusionConfig = z.infer<typeof diffusionConfigSchema>

type Sizes = Pick<DiffusionConfig, 'textEncoders' | 'denoiser' | 'coder' | 'prior'>

/** What does not go together. */
function* wrongSizes(sizes: Sizes): Generator<{ path: string[]; message: string }> {
  const { textEncoders, denoiser, coder, prior } = sizes
  const contextSize = textEncoders.reduce((sum, { hiddenSize }) => sum + hiddenSize, 0)
  if (contextSize !== denoiser.contextSize) {
    const message = `the text encoders make ${contextSize} numbers a token, and the denoiser reads ${denoiser.contextSize}`
    yield { path: ['denoiser', 'contextSize'], message }
  }
  const pooled = textEncoders.reduce((sum, { pooledSize = 0 }) => sum + pooledSize, 0)
  const read = prior?.embeddingSize ?? denoiser.addition?.pooledSize ?? 0
  if (pooled !== read) {
    const message = `the text encoders make ${pooled} numbers of a prompt, and ${read} are read`
    yield { path: ['denoiser', 'addition'], message }
  }
  if (new Set(textEncoders.map(({ length }) => length)).size > 1) {
    yield { path: ['textEncoders'], message: 'their chunks have different lengths' }
  }
  const { latentChannels } = coder
  const kinds = [latentChannels, 2 * latentChannels + 1]
  if (!kinds.includes(denoiser.inChannels)) {
    const message = `${denoiser.inChannels}; latents of ${latentChannels} channels make ${kinds[0]}, or ${kinds[1]} with a mask`
    yield { path: ['denoiser', 'inChannels'], message }
  }
  // with how much noise to add beside what is predicted
  const out = denoiser.embedding === undefined ? latentChannels : 2 * latentChannels
  if (denoiser.outChannels !== out) {
    const message = `${denoiser.outChannels}, and latents have ${latentChannels} channels`
    yield { path: ['denoiser', 'outChannels'], message }
  }
  yield* wrongPrior(sizes)
}

function* wrongPrior({ textEncoders, denoiser, prior }: Sizes): Generator<{ path: string[]; message: string }> {
  if ((prior === undefined) !== (denoiser.embedding === undefined)) {
    yield { path: ['prior'], message: 'a prior and a denoiser that draws embeddings go together' }
  }
  if (prior === undefined) return
  const [first, ...others] = textEncoders
  const fits = first?.length === prior.length && first.hiddenSize === prior.embeddingSize && others.length === 0
  if (!fits) yield { path: ['prior'], message: 'it reads one text encoder, of its own sizes' }
  if (denoiser.inChannels !== denoiser.outChannels / 2) {
    yield { path: ['denoiser', 'inChannels'], message: 'a denoiser that draws embeddings takes no mask' }
  }
}

/**
 * Pixels of any picture, as 1448 × 1448 or 2048 × 1024: a job that begins with a picture and a mask, and goes on from another
 * node's state, fits a frame.
 */
export const PICTURE_PIXELS_MAX = 2_097_152

/** Pixels of one picture of a model: twice as high and wide as those that it was trained for. What its runs need follows from it. */
export function picturePixelsMax({ pictureSize }: Pick<DiffusionConfig, 'pictureSize'>): number {
  return Math.min(4 * pictureSize ** 2, PICTURE_PIXELS_MAX)
}

/** Pixels a side for one latent. */
export function latentScale({ coder }: Pick<DiffusionConfig, 'coder'>): number {
  return 2 ** (coder.levels.length - 1)
}

/** Pixels that a picture's sides are multiples of: a resolution of residual blocks is whole pixels of the next. */
export function sideStep({ coder, denoiser }: Pick<DiffusionConfig, 'coder' | 'denoiser'>): number {
  const scale = latentScale({ coder })
  return denoiser.embedding === undefined ? scale : scale * 2 ** (denoiser.levels.length - 1)
}

/** Whether the denoiser takes a mask and a masked picture beside the latents. */
export function takesMask({ denoiser, coder }: Pick<DiffusionConfig, 'denoiser' | 'coder'>): boolean {
  return denoiser.inChannels > coder.latentChannels
}
