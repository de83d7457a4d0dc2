import { z } from 'zod'

const size = z.int().positive()
const positive = z.number().min(1e-6).max(1e6)

/** A context is stretched by some tens; with more, or less than nothing, angles are no numbers any more. */
const stretch = z.number().min(1e-6).max(1e6)
const originalContextLength = size.max(16_777_216)

/** Heads are rotated by half their dimensions at most. */
const FREQUENCIES_MAX = 512
const divisors = z.array(z.number().min(1e-3).max(1e6)).min(1).max(FREQUENCIES_MAX)

/** How the frequencies of a rotary embedding are stretched to a context longer than the one they were made for. */
export const ropeScalingSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('none') }),
  z.object({ type: z.literal('linear'), factor: stretch }),
  z
    .object({
      type: z.literal('llama3'),
      factor: stretch,
      lowFrequencyFactor: stretch,
      highFrequencyFactor: stretch,
      originalContextLength
    })
    .refine(({ lowFrequencyFactor, highFrequencyFactor }) => lowFrequencyFactor < highFrequencyFactor, {
      message: 'the factor of low frequencies is less than that of high ones',
      path: ['lowFrequencyFactor']
    }),
  z.object({
    type: z.literal('yarn'),
    factor: stretch,
    /** Turns within the original context above which a frequency is not stretched, and below which it is wholly. */
    betaFast: stretch,
    betaSlow: stretch,
    originalContextLength,
    /** Cosines and sines are multiplied by it. */
    magnitude: positive
  }),
  z.object({
    type: z.literal('longrope'),
    /** By how much each frequency is divided: in a context up to the original length, and in a longer one. */
    short: divisors,
    long: divisors,
    originalContextLength,
    magnitude: positive
  })
])
export type RopeScaling = z.infer<typeof ropeScalingSchema>

/** 10,000 to some millions. */
export const ropeThetaSchema = z.number().min(1).max(1e15)

/** A rotary embedding. */
export const ropeSchema = z.object({ theta: ropeThetaSchema, scaling: ropeScalingSchema })
export type Rope = z.infer<typeof ropeSchema>

/** What one layer's attention does otherwise than to all positions, with the model's rotary embedding. */
const layerTraitsSchema = z.strictObject({
  /** How many positions a position attends to, itself included. */
  window: size.max(16_777_216).optional(),
  /** Queries and keys are not rotated, or by {@link DecoderTraits.localRope}. */
  rope: z.enum(['none', 'local']).optional(),
  /** One feed-forward for all positions, in place of {@link DecoderTraits.experts}. */
  feedForward: z.literal('dense').optional()
})
export type LayerTraits = z.infer<typeof layerTraitsSchema>

/** Each has operators of its own in the graph of a layer. */
const EXPERTS_MAX = 512

/**
 * Feed-forwards of a layer of which each position takes some (Shazeer et al., arXiv:1701.06538). A router gives each expert
 * a number for the position; those with the largest are taken, and what they give is added up by the softmax of the numbers.
 */
export const expertsSchema = z.strictObject({
  count: size.max(EXPERTS_MAX),
  /** How many a position takes. */
  used: size.max(EXPERTS_MAX),
  /** Numbers between the two products of one expert, as `intermediateSize` is of a dense layer. */
  size: size.max(1_048_576),
  /** The shares of those that are taken make 1; else they are what they are among all experts. */
  normalized: z.literal(true).optional(),
  /**
   * As `size`, of another expert that every position takes: what it gives is multiplied by the sigmoid of a number of its own, and
   * added (Qwen Team, Qwen1.5-MoE, 2024). Absent where there is none.
   */
  sharedSize: size.max(1_048_576).optional()
})
export type Experts = z.infer<typeof expertsSchema>

/**
 * What a decoder computes beyond Llama's: each is one building block of the graph, and absent where the model does not
 * have it. A trait that is not known here is refused, because its model would give other answers without it.
 */
export const decoderTraitsSchema = z.strictObject({
  /** Of the gate of the feed-forward, in place of SiLU. */
  activation: z.literal('gelu_tanh').optional(),
  /** Queries, keys and values have biases. */
  attentionBias: z.literal(true).optional(),
  /** Each head's query and key is normalized before it is rotated. */
  headNorms: z.literal(true).optional(),
  /** What attention and feed-forward give is normalized before it is added to the residual stream. */
  outputNorms: z.literal(true).optional(),
  /** What embeddings are multiplied by. */
  embeddingScale: positive.optional(),
  /** What attention scores are multiplied by, in place of 1/√headDim. */
  attentionScale: positive.optional(),
  /** Scores and logits are bent into (−cap, cap): cap · tanh(x / cap). */
  attentionSoftcap: positive.optional(),
  logitSoftcap: positive.optional(),
  /** In place of the feed-forward of layers that are not dense. */
  experts: expertsSchema.optional(),
  /** How many dimensions of a head are rotated, where it is not all. */
  rotaryDim: size.max(1024).optional(),
  /** The rotary embedding of layers that name it. */
  localRope: ropeSchema.optional(),
  /** One for each layer, where not all are alike. */
  layers: z.array(layerTraitsSchema).max(1024).optional()
})
export type DecoderTraits = z.infer<typeof decoderTraitsSchema>
