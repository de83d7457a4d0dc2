import { type ApiRoute, parseInput } from '@resultity/api-kit'
import { embed, type NodeJobs } from '@resultity/generation'
import type { JobAnswer, JobContext, PreparedJob } from '@resultity/jobs'
import type { NodePools, PlacementDirector, RouteConstraints, ServedModels } from '@resultity/placement'
import { answerJob } from '../answer/answer-job.ts'
import type { AnswerMetrics } from '../answer/answer-metrics.ts'
import { requirePlace } from '../answer/require-place.ts'
import { routeHeader } from '../chat/chat-answer.ts'
import { refuseUnserved } from '../fields/refuse-unserved.ts'
import type { HttpEndpoint } from '../requests/job-routes.ts'
import { embeddingsAnswer } from './embeddings-answer.ts'
import { type EmbeddingsPlan, toEmbeddingsPlan } from './embeddings-request.ts'
import { embeddingsAnswerSchema, embeddingsRequestSchema } from './embeddings-schema.ts'

/** How inputs are read. */
export interface InputReading {
  /** What is too long is cut off where a request does not say how long it may be, and not refused. Default false. */
  readonly truncateInputs?: boolean | undefined
}

export interface EmbeddingsEndpointComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
  readonly pools: NodePools
  readonly nodeJobs: NodeJobs
  readonly metrics: AnswerMetrics
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
  }
}

interface PreparedEmbeddings {
  readonly plan: EmbeddingsPlan
  readonly routing: RouteConstraints
}

/** A number of a vector as JSON, at most. */
const NUMBER_BYTES = 24

/** `POST /v1/embeddings`. One node computes the whole job. */
export class EmbeddingsEndpoint implements HttpEndpoint<PreparedEmbeddings> {
  readonly api = createEmbedding
  readonly path = createEmbedding.path
  readonly #components: EmbeddingsEndpointComponents
  readonly #reading: InputReading

  constructor(components: EmbeddingsEndpointComponents, reading: InputReading = {}) {
    this.#components = components
    this.#reading = reading
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedEmbeddings>> {
    const { models, pools } = this.#components
    const parsed = refuseUnserved('embeddings', parseInput(embeddingsRequestSchema, body))
    const request = withTruncation(parsed, this.#reading)
    const model = models.findEncoder(request.model)
    const routing = pools.routing(model, request.mesh)
    const plan = await toEmbeddingsPlan(request, model)
    return {
      ...answerJob(request, model, routing),
      streamed: false,
      outlivesClient: false,
      tokens: { prompt: plan.promptTokens, answerMax: 0 },
      resultBytes: plan.inputs.length * plan.dimensions * NUMBER_BYTES,
      data: { plan, routing }
    }
  }

  check({ plan, routing }: PreparedEmbeddings): void {
    requirePlace(this.#components.director, plan.model.placeable, routing)
  }

  async run({ plan, routing }: PreparedEmbeddings, { job, signal }: JobContext): Promise<JobAnswer> {
    const { nodeJobs, metrics } = this.#components
    const { model } = plan
    const work = { jobId: job.id, model: model.placeable, routing, inputs: plan.inputs }
    const { vectors, dimensions, route } = await embed(nodeJobs, work, { signal, workClass: job.class })
    metrics.promptTokens.inc({ model: model.id }, plan.promptTokens)
    return {
      result: {
        status: 200,
        headers: { 'x-resultity-route': routeHeader(route) },
        body: embeddingsAnswer(plan, vectors, dimensions)
      },
      usage: { promptTokens: plan.promptTokens, completionTokens: 0 }
    }
  }
}

/** The request with how long its inputs may be, where neither it nor the operator would have them refused. */
export function withTruncation<T extends { readonly truncate_prompt_tokens?: number | null | undefined }>(
  request: T,
  { truncateInputs }: InputReading
): T {
  return truncateInputs === true
    ? { ...request, truncate_prompt_tokens: request.truncate_prompt_tokens ?? -1 }
    : request
}
