import {
  ensembleModelsSchema,
  judgeModes,
  judgeSchema,
  modelTimeoutSchema,
  strategies,
  voteSchema
} from '@resultity/interface'
import { z } from 'zod'
import { seedSchema } from '../answer/seed.ts'
import { tokenUsageSchema } from '../answer/token-usage.ts'

/** Fields of a request that several models are to answer. */
export const ensembleFields = {
  models: ensembleModelsSchema.nullish(),
  /** Default `fallback`; `vote` or `judge` where there is such a field. */
  strategy: z.enum(strategies).nullish(),
  vote: voteSchema.nullish(),
  judge: judgeSchema.nullish()
}

/** Fields of `mesh` that concern several models. */
export const ensembleMeshFields = {
  /** `fallback`: how long each model may take, to begin its answer where that is streamed and to end it elsewhere. */
  timeout_ms: modelTimeoutSchema.nullish(),
  /** `all`: a stream carries every model's choice (default where the request names the models) or the first only. */
  choices: z.enum(['all', 'primary']).nullish()
}

/** What an ensemble needs to know of a request of any endpoint. */
export const ensembleRequestSchema = z.looseObject({
  ...ensembleFields,
  model: z.string().optional(),
  seed: seedSchema.nullish(),
  n: z.int().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  mesh: z.looseObject(ensembleMeshFields).nullish()
})
export type EnsembleRequest = z.infer<typeof ensembleRequestSchema>

const memberError = z.object({
  message: z.string(),
  type: z.string(),
  param: z.string().nullable(),
  code: z.string().nullable()
})

const route = z.array(z.object({ peerId: z.string(), range: z.object({ first: z.int(), end: z.int() }) }))

/** What became of one model's part. */
const memberReport = z.object({
  model: z.string(),
  role: z.enum(['member', 'judge']),
  /** `skipped`: another had answered before it was its turn. */
  status: z.enum(['succeeded', 'failed', 'cancelled', 'expired', 'skipped']),
  request_id: z.string().nullable(),
  /** Milliseconds from its submission to its end; null when it has none. */
  ms: z.number().nullable(),
  ttftMs: z.number().nullable(),
  tokensPerSecond: z.number().nullable(),
  route,
  usage: tokenUsageSchema.nullable(),
  error: memberError.nullable(),
  /** Text of the model's answer, if the choices do not contain it. */
  content: z.string().optional()
})
export type MemberReport = z.infer<typeof memberReport>

/** `mesh` of an answer that several models made. */
export const ensembleReportSchema = z.object({
  /** Of the model whose answer it is, where it is one model's. */
  placementId: z.string().optional(),
  route: route.optional(),
  ttftMs: z.number().optional(),
  tokensPerSecond: z.number().nullable().optional(),
  strategy: z.enum(strategies),
  models: z.array(memberReport),
  vote: z
    .object({ ballots: z.array(z.object({ answer: z.string(), votes: z.int(), models: z.array(z.string()) })) })
    .optional(),
  judge: z
    .object({
      model: z.string(),
      mode: z.enum(judgeModes),
      /** Index among the models of the answer it picked; null when it merged them, or named none and the first stands. */
      picked: z.int().nullable(),
      reasons: z.string()
    })
    .optional()
})
export type EnsembleReport = z.infer<typeof ensembleReportSchema>
