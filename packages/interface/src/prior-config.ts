import { z } from 'zod'

const size = z.int().positive()
const channels = size.max(65_536)

/** Tokens of one chunk of a prompt. Published encoders have 77. */
export const CHUNK_TOKENS_MAX = 1024

/** What looks at a picture and says what it shows as one vector: a vision transformer of CLIP (Radford et al., arXiv:2103.00020). */
export const clipSightConfigSchema = z
  .object({
    layerCount: size.max(1024),
    hiddenSize: channels,
    headCount: size.max(1024),
    intermediateSize: size.max(1_048_576),
    /** Pixels a side of the pictures that it looks at, and of their parts. */
    pictureSize: size.max(4096),
    patchSize: size.max(1024),
    activation: z.enum(['quick_gelu', 'gelu']),
    /** Added to a variance, so that nothing is divided by zero. */
    epsilon: z.number().min(1e-20).max(1)
  })
  .superRefine(({ hiddenSize, headCount, pictureSize, patchSize }, { addIssue }) => {
    if (hiddenSize % headCount !== 0) {
      const message = `${hiddenSize} hidden values cannot be shared by ${headCount} heads evenly`
      addIssue({ code: 'custom', path: ['headCount'], message })
    }
    if (pictureSize % patchSize !== 0) {
      const message = `${pictureSize} pixels are no whole number of parts of ${patchSize}`
      addIssue({ code: 'custom', path: ['patchSize'], message })
    }
  })
export type ClipSightConfig = z.infer<typeof clipSightConfigSchema>

/**
 * A prior: what makes of a text the embedding of a picture that it may describe (Ramesh et al., arXiv:2204.06125; Razzhigaev et al.,
 * arXiv:2310.03502). It is a transformer over the text's states, the text's vector, the time, the noisy embedding, and a place for
 * what it predicts: the embedding without noise.
 */
export const priorConfigSchema = z
  .object({
    layerCount: size.max(1024),
    headCount: size.max(1024),
    hiddenSize: channels.multipleOf(2),
    /** Numbers of an embedding, and of each state of the text. */
    embeddingSize: channels,
    /** Tokens of a text. */
    length: size.max(CHUNK_TOKENS_MAX),
    trainSteps: size.max(10_000),
    /** As of a schedule. */
    clip: z.number().positive().max(1000).optional(),
    /** Its embedding of a picture without light stands for no picture. */
    sight: clipSightConfigSchema
  })
  .refine(({ hiddenSize, headCount }) => hiddenSize % headCount === 0, {
    message: 'its hidden values cannot be shared by its heads evenly',
    path: ['headCount']
  })
export type PriorConfig = z.infer<typeof priorConfigSchema>
