import type { ApiRoute } from '@resultity/api-kit'
import { invalidRequest } from '@resultity/interface'
import type { Job } from '@resultity/store'
import type { z } from 'zod'
import {
  type RerankAnswer,
  type RerankDocument,
  type RerankRequest,
  rerankAnswerSchema,
  rerankRequestSchema,
  type ScoreAnswer,
  type ScoreRequest,
  scoreAnswerSchema,
  scoreRequestSchema
} from './pair-schema.ts'
import type { NamedText, ScorePlan, TextPair } from './score-plan.ts'

/** What routes that compare texts do not have in common. */
export interface PairDialect<Body> {
  readonly api: ApiRoute
  readonly schema: z.ZodType<Body>
  /** @throws MeshError `invalid_request` naming what is not served */
  pairsOf(body: Body): TextPair[]
  answerOf(body: Body, plan: ScorePlan, scores: readonly number[], job: Job): RerankAnswer | ScoreAnswer
}

const headers = { 'x-resultity-route': 'Who computed the answer: `PEER[first,end)`.' }

function rerankRoute(path: string, id: string, whose: string): ApiRoute {
  return {
    method: 'POST',
    path,
    id,
    summary: `Orders documents by how well they go with a query, as ${whose} has it.`,
    body: rerankRequestSchema,
    answers: { 200: { description: 'The documents, the best first.', json: rerankAnswerSchema, headers } },
    errors: [501]
  }
}

function scoreRoute(path: string, id: string): ApiRoute {
  return {
    method: 'POST',
    path,
    id,
    summary: 'Tells how well texts go together, as vLLM has it.',
    body: scoreRequestSchema,
    answers: { 200: { description: 'A score for each pair, in their order.', json: scoreAnswerSchema, headers } },
    errors: [501]
  }
}

/** The same by each of the paths that clients know. */
export const rerankDialects: readonly PairDialect<RerankRequest>[] = [
  rerank(rerankRoute('/v1/rerank', 'rerank', 'Jina'), true),
  rerank(rerankRoute('/rerank', 'rerankAtRoot', 'Jina'), true),
  rerank(rerankRoute('/v2/rerank', 'rerankAsCohere', 'Cohere'), false)
]

export const scoreDialects: readonly PairDialect<ScoreRequest>[] = [
  score(scoreRoute('/v1/score', 'score')),
  score(scoreRoute('/score', 'scoreAtRoot'))
]

function rerank(api: ApiRoute, withDocuments: boolean): PairDialect<RerankRequest> {
  return {
    api,
    schema: rerankRequestSchema,
    pairsOf: body => {
      refuseUnserved(body)
      const query = { text: textOf(body.query), param: 'query' }
      return body.documents.map((document, index) => [query, { text: textOf(document), param: `documents[${index}]` }])
    },
    answerOf: (body, plan, scores, job) => {
      const { promptTokens, model, scoredBy } = plan
      const ordered = [...scores.entries()].toSorted(([, a], [, b]) => b - a).slice(0, body.top_n ?? scores.length)
      const shown = body.return_documents ?? withDocuments
      return {
        id: job.id.replace(/^req_/, 'rerank-'),
        object: 'list',
        model: model.id,
        results: ordered.map(([index, relevance]) => ({
          index,
          relevance_score: relevance,
          ...(shown ? { document: { text: textOf(body.documents[index] ?? '') } } : {})
        })),
        usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
        meta: { billed_units: { input_tokens: promptTokens } },
        scored_by: scoredBy
      }
    }
  }
}

function textOf(document: RerankDocument): string {
  return typeof document === 'string' ? document : document.text
}

function refuseUnserved({
  rank_fields: fields,
  max_chunks_per_doc: chunks,
  max_tokens_per_doc: tokens
}: RerankRequest): void {
  const other = (fields ?? []).find(field => field !== 'text')
  if (other !== undefined) {
    throw invalidRequest(
      'rank_fields',
      `rank_fields names "${other}", and documents are ranked by "text"`,
      'Write into text what counts.'
    )
  }
  if ((chunks ?? 1) > 1) {
    throw invalidRequest(
      'max_chunks_per_doc',
      'documents are not divided here',
      'Send the parts as documents of their own.'
    )
  }
  if (tokens !== undefined && tokens !== null) {
    const instead = 'Use truncate_prompt_tokens, which counts query and document together.'
    throw invalidRequest('max_tokens_per_doc', 'documents are not cut off by themselves here', instead)
  }
}

function score(api: ApiRoute): PairDialect<ScoreRequest> {
  return {
    api,
    schema: scoreRequestSchema,
    pairsOf: ({ text_1: first, text_2: second }) => {
      const firsts = namedTexts(first, 'text_1')
      const seconds = namedTexts(second, 'text_2')
      const [only] = firsts
      if (only !== undefined && firsts.length === 1) return seconds.map(one => [only, one])
      if (firsts.length !== seconds.length) {
        const counts = `text_1 has ${firsts.length} texts and text_2 ${seconds.length}`
        throw invalidRequest('text_2', counts, 'Send one text_1, or as many as there are of text_2.')
      }
      return firsts.flatMap((one, index): TextPair[] => {
        const other = seconds[index]
        return other === undefined ? [] : [[one, other]]
      })
    },
    answerOf: (_, { promptTokens, model, scoredBy }, scores, job) => ({
      id: job.id.replace(/^req_/, 'score-'),
      object: 'list',
      created: Math.floor(job.createdAtMs / 1000),
      model: model.id,
      data: scores.map((value, index) => ({ index, object: 'score' as const, score: value })),
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens, completion_tokens: 0 },
      scored_by: scoredBy
    })
  }
}

function namedTexts(texts: string | readonly string[], param: string): NamedText[] {
  return typeof texts === 'string'
    ? [{ text: texts, param }]
    : texts.map((text, index) => ({ text, param: `${param}[${index}]` }))
}
