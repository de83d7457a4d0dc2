import { type ApiRoute, parseInput } from '@resultity/api-kit'
import { type DescriberComponents, describe } from '@resultity/generation'
import { type AbortOptions, Turns } from '@resultity/interface'
import type { JobAnswer, JobContext, PreparedJob } from '@resultity/jobs'
import {
  type AnswerMetrics,
  answerJob,
  type HttpEndpoint,
  modelName,
  randomSeed,
  requirePlace,
  routeHeader
} from '@resultity/openai'
import { type BicubicThread, DEFAULT_AT_ONCE } from '@resultity/pictures'
import type {
  NodePools,
  PlacementDirector,
  RouteConstraints,
  ServedCaptioner,
  ServedModels
} from '@resultity/placement'
import type { PictureInput } from '../picture-input.ts'
import { type DescriptionPlan, toDescriptionPlan } from './description-plan.ts'
import {
  type DescriptionAnswer,
  type DescriptionRequest,
  descriptionAnswerSchema,
  descriptionRequestSchema
} from './description-schema.ts'

export interface DescriptionEndpointComponents extends DescriberComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
  readonly pools: NodePools
  readonly metrics: Pick<AnswerMetrics, 'promptTokens' | 'completionTokens'>
  readonly pictureInput: Pick<PictureInput, 'check' | 'decode'>
  /** Brings pictures to the size that a model looks at. */
  readonly resizing: Pick<BicubicThread, 'resize'>
}

const createDescription: ApiRoute = {
  method: 'POST',
  path: '/v1/images/description',
  id: 'createImageDescription',
  summary: 'Says what a picture shows, or answers a question of it.',
  body: descriptionRequestSchema,
  bodyType: 'multipart/form-data',
  answers: {
    200: {
      description: 'What the picture shows.',
      json: descriptionAnswerSchema,
      headers: { 'x-resultity-route': 'Who looked at the picture: `PEER[first,end)`.' }
    }
  },
  errors: [413, 501]
}

/** A request in terms of its model. */
interface PreparedDescription {
  readonly model: ServedCaptioner
  readonly routing: RouteConstraints
  readonly plan: DescriptionPlan
}

/** Bytes of a token in an answer: its text, with escapes. */
const TOKEN_BYTES = 32
/** Of an answer around its text. */
const ANSWER_BYTES = 2048

/** `POST /v1/images/description`: a whole job on one node. */
export class DescriptionEndpoint implements HttpEndpoint<PreparedDescription> {
  readonly api = createDescription
  readonly path = createDescription.path
  readonly #components: DescriptionEndpointComponents
  /** Pictures in memory, whole: each takes up to 100 MB until it has the size that is looked at. */
  readonly #whole = new Turns(DEFAULT_AT_ONCE)

  constructor(components: DescriptionEndpointComponents) {
    this.#components = components
  }

  /** Decodes the whole picture: what is none is refused before it waits for a place. */
  async complete(body: unknown, namespace: string, { signal }: AbortOptions = {}): Promise<unknown> {
    const request = parseInput(descriptionRequestSchema, body)
    // a fault of the request is told before one of the picture, which takes time to find
    const { image, param } = toDescriptionPlan(request, this.#model(request))
    await this.#components.pictureInput.check(image, { namespace, param, ...(signal && { signal }) })
    return request
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedDescription>> {
    const parsed = parseInput(descriptionRequestSchema, body)
    const request = { ...parsed, seed: parsed.seed ?? randomSeed() }
    const model = this.#model(request)
    const plan = toDescriptionPlan(request, model)
    const routing = this.#components.pools.routing(model, request.mesh)
    const { tokensMax, prompt } = plan.settings
    return {
      ...answerJob(request, model, routing),
      streamed: false,
      tokens: { prompt: plan.promptTokens, answerMax: tokensMax },
      resultBytes: ANSWER_BYTES + (prompt.length + tokensMax) * TOKEN_BYTES,
      data: { model, routing, plan }
    }
  }

  check({ model, routing }: PreparedDescription): void {
    requirePlace(this.#components.director, model.placeable, routing)
  }

  async run({ model, routing, plan }: PreparedDescription, context: JobContext): Promise<JobAnswer> {
    const { job, signal, losses } = context
    const rgb = await this.#lookedAt(plan, model, { namespace: job.namespace, signal })
    const { tokens, route } = await describe(
      this.#components,
      { jobId: job.id, model: model.placeable, routing, ...plan.settings, rgb },
      { signal, workClass: job.class, losses }
    )
    const usage = { promptTokens: plan.promptTokens, completionTokens: tokens.length }
    const { metrics } = this.#components
    metrics.promptTokens.inc({ model: model.id }, usage.promptTokens)
    metrics.completionTokens.inc({ model: model.id }, usage.completionTokens)
    const body: DescriptionAnswer = {
      description: model.tokenizer.decode([...plan.settings.prompt, ...tokens]),
      model: model.id,
      usage: {
        prompt_tokens: usage.promptTokens,
        completion_tokens: usage.completionTokens,
        total_tokens: usage.promptTokens + usage.completionTokens
      }
    }
    return { result: { status: 200, headers: { 'x-resultity-route': routeHeader(route) }, body }, usage }
  }

  #model(request: DescriptionRequest): ServedCaptioner {
    const { models } = this.#components
    const name = modelName(models, request.model, {
      fits: ({ kind }) => kind === 'captioner',
      path: this.path,
      what: 'a model that describes pictures, such as hf:Salesforce/blip-image-captioning-base'
    })
    return models.findCaptioner(name)
  }

  /** u8 `[imageSize, imageSize, 3]`: each side by itself, as models were trained. */
  async #lookedAt(
    { image, param }: DescriptionPlan,
    { config: { imageSize: side } }: ServedCaptioner,
    place: { readonly namespace: string; readonly signal: AbortSignal }
  ): Promise<Uint8Array> {
    const { pictureInput, resizing } = this.#components
    const { signal } = place
    const looked = async (): Promise<Uint8Array> => {
      const picture = await pictureInput.decode(image, { ...place, param })
      return (await resizing.resize(picture, { width: side, height: side }, { signal })).rgb
    }
    return await this.#whole.run(looked, { signal })
  }
}
