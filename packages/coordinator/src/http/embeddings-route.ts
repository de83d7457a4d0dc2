import type { FastifyInstance } from 'fastify'
import { embed } from '../node-jobs/embedder.ts'
import type { NodeJobs } from '../node-jobs/node-jobs.ts'
import type { ServedModels } from '../served-models.ts'
import { type ApiRoute, addRoute } from './api-route.ts'
import { routeHeader } from './chat-answer.ts'
import { embeddingsAnswer } from './embeddings-answer.ts'
import { toEmbeddingsPlan } from './embeddings-request.ts'
import { embeddingsAnswerSchema, embeddingsRequestSchema } from './embeddings-schema.ts'
import type { Metrics } from './metrics.ts'
import { parseInput } from './parse-body.ts'
import type { RequestDesk } from './request-desk.ts'

export interface EmbeddingsRouteComponents {
  readonly models: ServedModels
  readonly jobs: NodeJobs
  readonly metrics: Metrics
  readonly desk: RequestDesk
}

const createEmbedding: ApiRoute = {
  method: 'POST',
  path: '/v1/embeddings',
  id: 'createEmbedding',
  summary: 'Turns texts into vectors.',
  body: embeddingsRequestSchema,
  answers: {
    200: {
      description: 'A vector for each input, in their order.',
      json: embeddingsAnswerSchema,
      headers: { 'x-resultity-route': 'Who computed the answer: `PEER[first,end)`.' }
    }
  },
  errors: [400, 404, 413, 429, 503, 504]
}

/** `POST /v1/embeddings`. */
export function addEmbeddingsRoute(server: FastifyInstance, components: EmbeddingsRouteComponents): void {
  const { models, jobs, metrics, desk } = components
  addRoute(server, createEmbedding, async (request, reply) => {
    using ticket = desk.admit(reply.raw)
    const body = parseInput(embeddingsRequestSchema, request.body)
    const model = models.findEncoder(body.model)
    const plan = toEmbeddingsPlan(body, model)
    const work = { jobId: request.id, model: model.placeable, inputs: plan.inputs }
    const { vectors, dimensions, route } = await embed(jobs, work, { signal: ticket.signal })
    metrics.promptTokens.inc({ model: model.id }, plan.promptTokens)
    reply.header('x-resultity-route', routeHeader(route))
    return embeddingsAnswer(plan, vectors, dimensions)
  })
}
