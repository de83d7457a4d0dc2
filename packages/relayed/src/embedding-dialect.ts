import { parseInput } from '@resultity/api-kit'
import { EMBEDDINGS_ENDPOINT } from '@resultity/interface'
import { embeddingsRequestSchema, refuseUnserved } from '@resultity/openai'
import type { JsonValue } from '@resultity/store'
import { z } from 'zod'
import { notAnAnswer, readAnswer } from './not-an-answer.ts'
import { passedFields } from './passed-fields.ts'
import type { RelayDialect } from './relay-dialect.ts'
import { estimatedTokens, jobUsageOf, toldUsageSchema } from './told-usage.ts'

export type EmbeddingsRequest = z.infer<typeof embeddingsRequestSchema> & { readonly stream?: undefined }

/** More than any model gives. */
const DIMENSIONS_MAX = 65_536

const answerSchema = z.object({
  data: z.array(
    z.object({
      index: z.int().min(0).nullish(),
      embedding: z.union([z.array(z.number()).min(1).max(DIMENSIONS_MAX), z.base64().min(4)])
    })
  ),
  usage: toldUsageSchema.nullish()
})

/** Embeddings: an answer comes whole. */
export const embeddingRelay: RelayDialect<EmbeddingsRequest> = {
  endpoint: EMBEDDINGS_ENDPOINT,
  answerSchema: undefined,
  eventSchema: undefined,
  parse: body => refuseUnserved('embeddings', parseInput(embeddingsRequestSchema, body)) as EmbeddingsRequest,
  passedOn: request => passedFields(request, embeddingsRequestSchema.shape),
  tokens: ({ input }) => ({ prompt: estimatedTokens(Buffer.byteLength(JSON.stringify(input))), answerMax: 0 }),
  whole: (answer, { input, encoding_format }, { model, promptTokens }) => {
    const { data, usage } = readAnswer(answerSchema, answer, 'list of vectors')
    const inputs = Array.isArray(input) && typeof input[0] !== 'number' ? input.length : 1
    const vectors = data.toSorted((a, b) => (a.index ?? 0) - (b.index ?? 0)).map(({ embedding }) => embedding)
    if (vectors.length !== inputs) throw notAnAnswer('list of vectors', `${inputs} inputs, ${vectors.length} vectors`)
    if (vectors.some(vector => (typeof vector === 'string') !== (encoding_format === 'base64'))) {
      throw notAnAnswer('list of vectors', 'they are in another encoding than was asked for')
    }
    const taken = { ...jobUsageOf(usage, { promptTokens, completionTokens: 0 }), completionTokens: 0 }
    const body = {
      object: 'list',
      data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })),
      model,
      usage: { prompt_tokens: taken.promptTokens, total_tokens: taken.promptTokens }
    }
    return { body: body as JsonValue, usage: taken }
  }
}
