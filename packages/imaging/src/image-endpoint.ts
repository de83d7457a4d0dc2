import { type ApiRoute, parseInput } from '@resultity/api-kit'
import { invalidRequest, MeshError } from '@resultity/interface'
import type { CompleteOptions, JobAnswer, JobContext, PreparedJob, StreamView } from '@resultity/jobs'
import { answerJob, type HttpEndpoint, modelName, randomSeed, refuseUnserved, requirePlace } from '@resultity/openai'
import type { NodePools, PlacementDirector, ServedDiffusion, ServedModels } from '@resultity/placement'
import { z } from 'zod'
import { type Completed, type ImageTask, imageOf, storedBytes, toImagePlan } from './image-plan.ts'
import { type ImageRunComponents, type PreparedImages, runImages } from './image-run.ts'
import {
  editEventSchema,
  editRequestSchema,
  generationEventSchema,
  generationRequestSchema,
  type ImageRequest,
  imagesAnswerSchema,
  variationRequestSchema
} from './image-schema.ts'
import { imageView } from './image-view.ts'
import { sizeOf } from './picture-size.ts'

export interface ImageEndpointComponents extends ImageRunComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
  readonly pools: NodePools
}

export interface ImageEndpointInit {
  /** Where clients reach the API, in place of where each says that it does. */
  readonly publicUrl?: string | undefined
}

/** One of the routes that draw. */
export interface ImageRoute extends ImageTask {
  readonly api: ApiRoute
  /** What the table of fields calls it. */
  readonly fields: 'generations' | 'edits' | 'variations'
  readonly read: (body: unknown) => ImageRequest
  readonly events?: 'image_generation' | 'image_edit'
}

const description = 'The pictures, or links to them. Streamed: pictures on the way, and each that is done.'
const answer = {
  json: imagesAnswerSchema,
  headers: { 'x-resultity-route': 'Who drew the pictures: `PEER[first,end)`, one or several.' }
}

/** `POST /v1/images/generations`, `POST /v1/images/edits`, `POST /v1/images/variations`. */
export const imageRoutes: Readonly<Record<ImageTask['kind'], ImageRoute>> = {
  generation: {
    api: {
      method: 'POST',
      path: '/v1/images/generations',
      id: 'createImage',
      summary: 'Draws pictures of a text.',
      body: generationRequestSchema,
      answers: { 200: { ...answer, description, events: generationEventSchema } },
      errors: [501]
    },
    kind: 'generation',
    fields: 'generations',
    strength: 1,
    read: body => refuseUnserved('generations', parseInput(generationRequestSchema, body)),
    events: 'image_generation'
  },
  edit: {
    api: {
      method: 'POST',
      path: '/v1/images/edits',
      id: 'createImageEdit',
      summary: 'Draws a picture anew by a text, or a part of it.',
      body: editRequestSchema,
      bodyType: 'multipart/form-data',
      answers: { 200: { ...answer, description, events: editEventSchema } },
      errors: [413, 501]
    },
    kind: 'edit',
    fields: 'edits',
    strength: 0.8,
    read: body => refuseUnserved('edits', parseInput(editRequestSchema, body)),
    events: 'image_edit'
  },
  variation: {
    api: {
      method: 'POST',
      path: '/v1/images/variations',
      id: 'createImageVariation',
      summary: 'Draws pictures like one.',
      body: variationRequestSchema,
      bodyType: 'multipart/form-data',
      answers: { 200: { ...answer, description: 'The pictures, or links to them.' } },
      errors: [413, 501]
    },
    kind: 'variation',
    fields: 'variations',
    strength: 0.6,
    read: body => ({ ...refuseUnserved('variations', parseInput(variationRequestSchema, body)), prompt: '' })
  }
}

/** What a request has once its pictures were looked at; stored with it. */
const completedSchema = z.looseObject({
  link_base: z.url().nullish(),
  source_size: z.object({ width: z.int().min(1), height: z.int().min(1) }).nullish(),
  own_mask: z.boolean().nullish()
})

/** A route that draws: a job whose pictures many nodes share. */
export class ImageEndpoint implements HttpEndpoint<PreparedImages> {
  readonly api: ApiRoute
  readonly path: string
  readonly #components: ImageEndpointComponents
  readonly #route: ImageRoute
  readonly #init: ImageEndpointInit

  constructor(components: ImageEndpointComponents, route: ImageRoute, init: ImageEndpointInit = {}) {
    this.api = route.api
    this.path = route.api.path
    this.#components = components
    this.#route = route
    this.#init = init
  }

  /** Decodes pictures to their end: what is none is refused before it waits for a place, and sizes are known. */
  async complete(body: unknown, namespace: string, { signal, origin }: CompleteOptions = {}): Promise<unknown> {
    const request = this.#route.read(body)
    // a fault of the request is told before one of a picture, which takes time to find
    const model = this.#model(request)
    const linkBase = this.#init.publicUrl ?? origin
    // whatever the client wrote there
    const links = { link_base: linkBase }
    if (this.#route.kind === 'generation') return { ...request, ...links }
    const looked = await this.#look(request, model, { namespace, ...(signal && { signal }) })
    return { ...request, ...links, ...looked }
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedImages>> {
    const parsed = this.#route.read(body)
    const completed = this.#completed(body)
    const request = { ...parsed, seed: parsed.seed ?? randomSeed() }
    const model = this.#model(request)
    const plan = await toImagePlan(request, model, this.#route, completed)
    const routing = this.#components.pools.routing(model, request.mesh)
    const { text, image, picture } = plan.usage
    return {
      ...answerJob(request, model, routing),
      tokens: { prompt: text + image, answerMax: picture * plan.count },
      resultBytes: storedBytes(plan),
      data: { plan, routing, quality: request.quality ?? null }
    }
  }

  check({ plan, routing }: PreparedImages): void {
    requirePlace(this.#components.director, plan.model.placeable, routing)
  }

  async run(data: PreparedImages, context: JobContext): Promise<JobAnswer> {
    return await runImages(this.#components, data, context)
  }

  view(): StreamView {
    return imageView(this.#route.events ?? 'image_generation')
  }

  #model(request: ImageRequest): ServedDiffusion {
    const { models } = this.#components
    const name = modelName(models, request.model, {
      fits: ({ kind }) => kind === 'diffusion',
      path: this.path,
      what: 'a model that draws, such as a folder of diffusers'
    })
    return models.findDiffusion(name)
  }

  /** @throws MeshError `invalid_request` where nobody could look the picture up */
  #completed(body: unknown): Completed {
    const { link_base: linkBase, source_size: size, own_mask: own } = parseInput(completedSchema, body)
    if (this.#route.kind !== 'generation' && (size === undefined || size === null)) {
      const hint = 'Send it by itself, or as a line of a batch of /v1/batches.'
      throw invalidRequest('image', 'a picture cannot be looked up within this request', hint)
    }
    return { linkBase: linkBase ?? undefined, picture: size ?? undefined, ownMask: own ?? undefined }
  }

  async #look(
    request: ImageRequest,
    model: ServedDiffusion,
    whose: { readonly namespace: string; readonly signal?: AbortSignal }
  ): Promise<Readonly<Record<string, unknown>>> {
    const { pictureInput } = this.#components
    const image = imageOf(request)
    if (image === undefined) throw invalidRequest('image', 'the request has no picture', 'Send one as image.')
    const place = { ...whose, param: 'image' }
    const head = await pictureInput.check(image, place)
    const { width, height } = head
    const size = sizeOf({ size: request.size, n: request.n ?? 1 }, model.config, head)
    const masked = { of: head, fit: { ...size, how: 'cover' } } as const
    if (request.mask !== undefined && request.mask !== null) {
      await pictureInput.decodeMask(request.mask, { ...whose, param: 'mask' }, masked)
    }
    // without a mask, what is transparent in the picture is where to paint, as in OpenAI's first models
    const owned = this.#route.kind === 'edit' && (request.mask ?? undefined) === undefined && head.hasAlpha
    const ownMask = owned && (await this.#hasHoles(pictureInput.decodeMask(image, place, masked)))
    return { source_size: { width, height }, own_mask: ownMask }
  }

  async #hasHoles(mask: Promise<Uint8Array>): Promise<boolean> {
    try {
      await mask
      return true
    } catch (error) {
      if (MeshError.from(error).details.fault === 'no_alpha') return false
      throw error
    }
  }
}
