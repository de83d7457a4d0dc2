import { z } from 'zod'

/** How the answers of several models become one. */
export const strategies = ['all', 'fastest', 'fallback', 'vote', 'judge'] as const
export type Strategy = (typeof strategies)[number]

/** Models that one request may ask; each takes a slot. */
export const ENSEMBLE_MODELS_MAX = 16

const INSTRUCTIONS_CHARACTERS_MAX = 8192
const FIELD_CHARACTERS_MAX = 256

/** Longest time limit for one model's answer: a day. */
const TIMEOUT_MS_MAX = 24 * 60 * 60_000

const modelName = z.string().min(1).max(512)

/** Which models to ask. One named twice answers with two seeds. */
export const ensembleModelsSchema = z.array(modelName).min(1).max(ENSEMBLE_MODELS_MAX)

export const voteSchema = z.looseObject({
  /** Votes are cast by this field of answers that are JSON, such as `verdict.label`; by the whole text otherwise. */
  field: z
    .string()
    .max(FIELD_CHARACTERS_MAX)
    .regex(/^[^.\s]+(\.[^.\s]+)*$/, 'expected names with dots between them, such as "verdict.label"')
    .nullish()
})

export const judgeModes = ['pick', 'merge'] as const

export const judgeSchema = z.looseObject({
  model: modelName,
  /** `pick`: the best answer as it is. `merge`: one made of all. Default `pick`. */
  mode: z.enum(judgeModes).nullish(),
  /** What makes an answer good, instead of the usual. */
  instructions: z.string().max(INSTRUCTIONS_CHARACTERS_MAX).nullish()
})

/** How long each model of a `fallback` may take. */
export const modelTimeoutSchema = z.int().min(1).max(TIMEOUT_MS_MAX)

/** An ensemble under a name of its own, for clients that can only name a model. */
export const ensembleAliasSchema = z.strictObject({
  models: ensembleModelsSchema,
  strategy: z.enum(strategies).optional(),
  vote: voteSchema.optional(),
  judge: judgeSchema.optional(),
  timeoutMs: modelTimeoutSchema.optional()
})
export type EnsembleAlias = z.infer<typeof ensembleAliasSchema>

/** Names that an operator gives: to one model, or to an ensemble of several. */
export type ModelAliases = Readonly<Record<string, string | EnsembleAlias>>
