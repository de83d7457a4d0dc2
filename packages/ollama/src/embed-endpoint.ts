import { type ApiRoute, parseInput } from '@resultity/api-kit'
import { type Scheduler, systemScheduler } from '@resultity/interface'
import type { JobAnswer, JobContext, JobKind, PreparedJob } from '@resultity/jobs'
import type { HttpEndpoint } from '@resultity/openai'
import type { ServedModels } from '@resultity/placement'
import type { Job, JobUsage, JsonValue } from '@resultity/store'
import { z } from 'zod'
import { inClientWords } from './client-words.ts'
import { nanoseconds, waitedMs } from './durations.ts'
import {
  type EmbedBody,
  type EmbeddingsBody,
  embedAnswerSchema,
  embedBodySchema,
  embeddingsAnswerSchema,
  embeddingsBodySchema
} from './embed-schema.ts'
import { servedName } from './model-names.ts'
import { ollamaErrors } from './ollama-errors.ts'
import { present } from './option-fields.ts'

export interface EmbedEndpointComponents {
  readonly models: ServedModels
  /** What makes vectors. */
  readonly embeddings: JobKind
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

interface Measured {
  readonly model: string
  readonly vectors: number[][]
  readonly job: Job
  readonly usage: JobUsage | null
  readonly elapsedMs: number
}

/** What the two routes that make vectors do not have in common. */
export interface EmbedDialect<Body> {
  readonly api: ApiRoute
  readonly schema: z.ZodType<Body>
  /** Texts to make vectors of; none where the client only wants to know that the model is there. */
  textsOf(body: Body): readonly string[]
  /** Fields of the embeddings' request, beside its texts. */
  fieldsOf(body: Body): Readonly<Record<string, unknown>>
  /** How the body calls what an error of the embeddings calls `param`. */
  paramOf(param: string, body: Body): string
  answerOf(measured: Measured): Readonly<Record<string, unknown>>
}

const embedRoute: ApiRoute = {
  method: 'POST',
  path: '/api/embed',
  id: 'ollamaEmbed',
  summary: 'Turns texts into vectors, as Ollama does.',
  body: embedBodySchema,
  answers: {
    200: {
      json: embedAnswerSchema,
      headers: { 'x-resultity-route': 'Who computed the answer: `PEER[first,end)`.' }
    }
  },
  errorFormat: ollamaErrors
}

const embeddingsRoute: ApiRoute = {
  ...embedRoute,
  path: '/api/embeddings',
  id: 'ollamaEmbeddings',
  summary: 'Turns one text into a vector: what came before /api/embed.',
  body: embeddingsBodySchema,
  answers: { 200: { ...embedRoute.answers[200], json: embeddingsAnswerSchema } }
}

/** As many tokens as the model takes, as vLLM says it. */
const TRUNCATED = { truncate_prompt_tokens: -1 }

/** `POST /api/embed`. */
export const embedDialect: EmbedDialect<EmbedBody> = {
  api: embedRoute,
  schema: embedBodySchema,
  textsOf: ({ input }) => (typeof input === 'string' ? [input].filter(Boolean) : (input ?? [])),
  fieldsOf: ({ truncate, dimensions }) => ({ dimensions, ...(truncate === false ? {} : TRUNCATED) }),
  // a text alone is asked for as a list of one
  paramOf: (param, { input }) => (typeof input === 'string' ? param.replace(/^input\[0\]/, 'input') : param),
  answerOf: ({ model, vectors, job, usage, elapsedMs }) => ({
    model,
    embeddings: vectors,
    total_duration: nanoseconds(waitedMs(job) + elapsedMs),
    load_duration: nanoseconds(waitedMs(job)),
    prompt_eval_count: usage?.promptTokens ?? 0
  })
}

/** `POST /api/embeddings`. */
export const embeddingsDialect: EmbedDialect<EmbeddingsBody> = {
  api: embeddingsRoute,
  schema: embeddingsBodySchema,
  textsOf: ({ prompt }) => [prompt ?? ''].filter(Boolean),
  fieldsOf: () => TRUNCATED,
  paramOf: param => param.replace(/^input(?:\[0\])?/, 'prompt'),
  answerOf: ({ vectors: [embedding = []] }) => ({ embedding })
}

interface PreparedEmbed {
  readonly model: string
  readonly inner: unknown
  readonly loads: boolean
}

/** What the embeddings have made: their numbers, of which there may be a million, are not looked at again. */
const vectorsSchema = z.looseObject({
  data: z.array(z.looseObject({ embedding: z.custom<number[]>(value => Array.isArray(value)) }))
})

/** A route of Ollama's that makes vectors: embeddings that are asked for and told in other words. */
export class EmbedEndpoint<Body extends EmbedBody | EmbeddingsBody> implements HttpEndpoint<PreparedEmbed> {
  readonly api: ApiRoute
  readonly path: string
  readonly errorFormat = ollamaErrors
  readonly #components: EmbedEndpointComponents
  readonly #dialect: EmbedDialect<Body>

  constructor(components: EmbedEndpointComponents, dialect: EmbedDialect<Body>) {
    this.api = dialect.api
    this.path = dialect.api.path
    this.#components = components
    this.#dialect = dialect
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedEmbed>> {
    const { models } = this.#components
    const parsed = parseInput(this.#dialect.schema, body)
    const { id } = models.findEncoder(servedName(models, parsed.model))
    const request = { ...parsed, model: id }
    const texts = this.#dialect.textsOf(request)
    const loads = texts.length === 0
    const { store, mesh } = request
    const fields = present({ model: id, store, mesh, ...this.#dialect.fieldsOf(request) })
    const inner = await inClientWords(
      () => this.#components.embeddings.prepare({ ...fields, input: loads ? ['.'] : texts }),
      param => this.#dialect.paramOf(param, request)
    )
    return {
      ...inner,
      request: request as JsonValue,
      tokens: loads ? { prompt: 0, answerMax: 0 } : inner.tokens,
      data: { model: id, inner: inner.data, loads }
    }
  }

  check({ inner }: PreparedEmbed): void {
    this.#components.embeddings.check(inner)
  }

  async run({ model, inner, loads }: PreparedEmbed, context: JobContext): Promise<JobAnswer> {
    const { scheduler = systemScheduler, embeddings } = this.#components
    const { job } = context
    if (loads) {
      const body = this.#dialect.answerOf({ model, vectors: [], job, usage: null, elapsedMs: 0 })
      return { result: { status: 200, headers: {}, body: body as JsonValue }, usage: null }
    }
    const startMs = scheduler.monotonic()
    const { result, usage } = await embeddings.run(inner, context)
    const vectors = vectorsSchema.parse(result.body).data.map(({ embedding }) => embedding)
    const measured = { model, vectors, job, usage, elapsedMs: scheduler.monotonic() - startMs }
    const body = this.#dialect.answerOf(measured)
    return { result: { status: 200, headers: result.headers, body: body as JsonValue }, usage }
  }
}
