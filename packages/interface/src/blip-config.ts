import { z } from 'zod'
import { LAYERS_MAX } from './layer-range.ts'

const size = z.int().positive()
const token = z.int().nonnegative().max(4_194_303)

/** Pixels a side that a picture has when it is looked at. Published models have 384 (480 of the original program's). */
export const LOOKED_AT_SIDE_MAX = 1024

/** Layers of a transformer that are all alike. */
export const towerSchema = z
  .object({
    layerCount: size.max(LAYERS_MAX / 4),
    hiddenSize: size.max(65_536),
    headCount: size.max(1024),
    feedForwardSize: size.max(1_048_576),
    /** Added to a variance, so that nothing is divided by zero. */
    epsilon: z.number().min(1e-20).max(1)
  })
  .refine(({ hiddenSize, headCount }) => hiddenSize % headCount === 0, {
    message: 'its hidden values cannot be shared by its heads evenly',
    path: ['headCount']
  })
export type BlipTower = z.infer<typeof towerSchema>

const ofChannels = z.tuple([z.number(), z.number(), z.number()])

/**
 * Sizes and settings of a BLIP (Li et al., arXiv:2201.12086): an encoder that looks at a picture, and a decoder that writes of it.
 * One that answers questions has a third part, which reads the question with the picture before it.
 */
export const blipConfigSchema = z
  .object({
    /** What it writes: a caption, whose beginning may be given, or the answer to a question. */
    task: z.enum(['caption', 'answer']),
    /** Pixels a side of the pictures it looks at; others are stretched to it. */
    imageSize: size.max(LOOKED_AT_SIDE_MAX),
    /** Pixels a side of a patch, of which each is one position. */
    patchSize: size.max(LOOKED_AT_SIDE_MAX),
    /** Taken from each channel of a picture, from 0 to 1. */
    mean: ofChannels,
    /** What is left is divided by it. */
    deviation: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
    vision: towerSchema,
    /** The decoder's, and the same of what reads the question. */
    text: towerSchema,
    /** Tokens of a text, that which begins it included. */
    textContext: size.max(4096),
    vocabularySize: size.max(4_194_304),
    tokens: z.object({
      /** `[DEC]`, with which every text begins. */
      begin: token,
      /** `[SEP]`, which ends it. */
      end: token
    })
  })
  .superRefine((config, context) => {
    for (const { path, message } of wrongSizes(config)) context.addIssue({ code: 'custom', path, message })
  })
export type BlipConfig = z.infer<typeof blipConfigSchema>

/** Positions of a picture: one for each patch, and one before them for the whole. */
export function lookedAtLength({ imageSize, patchSize }: Pick<BlipConfig, 'imageSize' | 'patchSize'>): number {
  return (imageSize / patchSize) ** 2 + 1
}

/** Numbers of a picture as a model looks at it: three channels. */
export function lookedAtSize({ imageSize }: Pick<BlipConfig, 'imageSize'>): number {
  return 3 * imageSize ** 2
}

/** Of a model that answers: the layers that read the question; of others none. */
export function askedLayerCount({ task, text }: Pick<BlipConfig, 'task' | 'text'>): number {
  return task === 'answer' ? text.layerCount : 0
}

/** What does not go together. */
function* wrongSizes(config: BlipConfig): Generator<{ path: string[]; message: string }> {
  const { imageSize, patchSize, vision, text, vocabularySize, tokens } = config
  if (imageSize % patchSize !== 0) {
    yield {
      path: ['patchSize'],
      message: `pictures of ${imageSize} pixels a side are no whole patches of ${patchSize}`
    }
  }
  // its decoder reads either, the picture or the question, by the same matrices
  if (config.task === 'answer' && vision.hiddenSize !== text.hiddenSize) {
    const message = `what reads questions has ${text.hiddenSize} hidden values, and what looks at pictures ${vision.hiddenSize}`
    yield { path: ['text', 'hiddenSize'], message }
  }
  for (const field of ['begin', 'end'] as const) {
    if (tokens[field] < vocabularySize) continue
    const message = `token ${tokens[field]} is not of a vocabulary of ${vocabularySize}`
    yield { path: ['tokens', field], message }
  }
}
