import { embeddingsRequestSchema } from '@resultity/openai'
import { z } from 'zod'

const { truncate_prompt_tokens, store, mesh } = embeddingsRequestSchema.shape

/** Documents, or pairs, of one request. */
export const PAIRS_MAX = 2048

const model = z.string().max(512).nullish()

/** Fields of what compares texts. */
const common = {
  /** May be left out where one model that compares texts is served. */
  model,
  /** Cut off what is longer than so many tokens, of both texts together; -1 for as many as fit. Default: refuse it. */
  truncate_prompt_tokens,
  store,
  mesh
}

/** A text, or an object that has one. */
const document = z.union([z.string(), z.looseObject({ text: z.string() })], {
  error: 'is a text, or an object with a text'
})
export type RerankDocument = z.infer<typeof document>

/** Body of `POST /v1/rerank`, `/rerank` and `/v2/rerank`, as Jina's and Cohere's clients send it. */
export const rerankRequestSchema = z
  .looseObject({
    ...common,
    query: document,
    documents: z.array(document).min(1).max(PAIRS_MAX),
    /** So many of the best; default all. */
    top_n: z.int().min(1).nullish(),
    /** Give documents back too. Default true, as in Jina's API, and false for `/v2/rerank`, as in Cohere's. */
    return_documents: z.boolean().nullish(),
    /** Cohere's: which fields of documents count. Here it is the text. */
    rank_fields: z.array(z.string().max(256)).max(64).nullish(),
    /** Cohere's: documents are read in so many pieces. Here it is one. */
    max_chunks_per_doc: z.int().min(1).nullish(),
    /** Cohere's: documents are cut off after so many tokens. */
    max_tokens_per_doc: z.int().min(1).nullish()
  })
  .meta({ id: 'RerankRequest' })
export type RerankRequest = z.infer<typeof rerankRequestSchema>

/** Who told how well texts go together: a model that reads both, or the angle between their vectors. */
const scoredBy = z.enum(['cross_encoder', 'cosine'])

const usage = z.object({ prompt_tokens: z.int(), total_tokens: z.int() })

export const rerankAnswerSchema = z
  .object({
    id: z.string(),
    object: z.literal('list'),
    model: z.string(),
    /** The best first. */
    results: z.array(
      z.object({
        /** Of the document in the request. */
        index: z.int(),
        relevance_score: z.number(),
        document: z.object({ text: z.string() }).optional()
      })
    ),
    usage,
    /** As Cohere's clients read it. */
    meta: z.object({ billed_units: z.object({ input_tokens: z.int() }) }),
    scored_by: scoredBy
  })
  .meta({ id: 'RerankAnswer' })
export type RerankAnswer = z.infer<typeof rerankAnswerSchema>

const texts = z.union([z.string(), z.array(z.string()).min(1).max(PAIRS_MAX)], {
  error: `is a text, or a list of at most ${PAIRS_MAX}`
})

/** Body of `POST /v1/score`, as in vLLM. */
export const scoreRequestSchema = z
  .looseObject({
    ...common,
    /** One text, compared with each of the others; or as many as there are others. */
    text_1: texts,
    text_2: texts
  })
  .meta({ id: 'ScoreRequest' })
export type ScoreRequest = z.infer<typeof scoreRequestSchema>

export const scoreAnswerSchema = z
  .object({
    id: z.string(),
    object: z.literal('list'),
    created: z.int(),
    model: z.string(),
    data: z.array(z.object({ index: z.int(), object: z.literal('score'), score: z.number() })),
    usage: usage.extend({ completion_tokens: z.int() }),
    scored_by: scoredBy
  })
  .meta({ id: 'ScoreAnswer' })
export type ScoreAnswer = z.infer<typeof scoreAnswerSchema>
