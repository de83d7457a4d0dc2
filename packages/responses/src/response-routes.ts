import { requireSubcloudsOf } from '@resultity/access'
import {
  type ApiRoute,
  addRoute,
  type ById,
  deletedOf,
  pageOfAll,
  parseInput,
  Resource,
  textPagedListOf
} from '@resultity/api-kit'
import { MeshError } from '@resultity/interface'
import { type JobRouteComponents, sendStream } from '@resultity/openai'
import { isFinal, type Job, type JobStore } from '@resultity/store'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { ResponseEndpoint } from './response-endpoint.ts'
import { findResponse, inputItemsOf } from './response-history.ts'
import { toItemView } from './response-item-view.ts'
import { responseOf } from './response-object.ts'
import { responseEventSchema, responseRequestSchema, responseSchema } from './response-schema.ts'
import { ResponseView } from './response-view.ts'

export interface ResponseRouteComponents extends JobRouteComponents {
  readonly store: JobStore
  readonly responses: ResponseEndpoint
}

const ITEMS_PER_PAGE_MAX = 100

const retrieveQuerySchema = z.looseObject({
  /** `true`: its events, from the first on and live until it ends. */
  stream: z.enum(['true', 'false']).optional(),
  /** `sequence_number` of the last event that was seen. */
  starting_after: z.coerce.number().int().min(0).optional()
})

const itemsQuerySchema = z.looseObject({
  order: z.enum(['asc', 'desc']).default('desc'),
  after: z.string().max(512).optional(),
  limit: z.coerce.number().int().min(1).max(ITEMS_PER_PAGE_MAX).default(20)
})

const itemListSchema = textPagedListOf('ResponseItemList', z.looseObject({ id: z.string(), type: z.string() }))

const tokensSchema = z.object({ object: z.literal('response.input_tokens'), input_tokens: z.int() })

const resource = new Resource('/v1/responses')

const routes = {
  retrieve: resource.retrieve({
    id: 'getResponse',
    summary: 'A response as it is now, or its events from any of them on.',
    query: retrieveQuerySchema,
    answers: { 200: { json: responseSchema, events: responseEventSchema } },
    errors: [429]
  }),
  remove: resource.remove({
    id: 'deleteResponse',
    summary: 'Removes a response; one that is not finished is cancelled first.',
    json: deletedOf('response'),
    errors: [429]
  }),
  cancel: resource.action('cancel', {
    id: 'cancelResponse',
    summary: 'Ends a response; one that has ended stays as it is.',
    json: responseSchema,
    errors: [429]
  }),
  items: resource.part('input_items', {
    id: 'listInputItems',
    summary: 'What a response was asked, the conversation before it included.',
    query: itemsQuerySchema,
    json: itemListSchema
  }),
  countTokens: {
    method: 'POST',
    path: '/v1/responses/input_tokens',
    id: 'getInputTokenCounts',
    summary: 'Tokens that a request would have, without making a response.',
    body: responseRequestSchema,
    answers: { 200: { json: tokensSchema } },
    errors: [400, 404]
  }
} as const satisfies Readonly<Record<string, ApiRoute>>

/** `/v1/responses/{id}`: what became of a response. */
export function addResponseRoutes(server: FastifyInstance, components: ResponseRouteComponents): void {
  const { store, responses } = components
  addRoute<ById>(server, routes.retrieve, async (request, reply) => {
    const job = await own(store, request)
    const { stream, starting_after: after } = parseInput(retrieveQuerySchema, request.query)
    if (stream === 'true') return await replay(components, job, after ?? -1, request, reply)
    if (!isFinal(job.state)) reply.headers({ 'retry-after': '1', 'openai-poll-after-ms': '1000' })
    return responseOf(job)
  })
  addRoute<ById>(server, routes.cancel, async (request, reply) => {
    return responseOf(await end(components, await own(store, request), reply))
  })
  addRoute<ById>(server, routes.remove, async (request, reply) => {
    const job = await own(store, request)
    await end(components, job, reply)
    await store.remove(job.id)
    return { id: request.params.id, object: 'response', deleted: true }
  })
  addRoute<ById>(server, routes.items, async request => {
    const items = inputItemsOf(await own(store, request)).map(toItemView)
    return pageOfAll(items, parseInput(itemsQuerySchema, request.query), 'item of this response')
  })
  addRoute(server, routes.countTokens, async request => {
    requireSubcloudsOf(request.caller, request.body)
    const complete = await responses.complete(request.body, request.caller.namespace)
    const { tokens } = await responses.prepare(complete)
    return { object: 'response.input_tokens', input_tokens: tokens.prompt }
  })
}

/** @throws MeshError `not_found` also for what belongs to somebody else: its existence is nobody's business */
async function own(store: JobStore, request: FastifyRequest<ById>): Promise<Job> {
  const job = await findResponse(store, request.caller.namespace, request.params.id)
  if (job !== undefined) return job
  throw new MeshError('not_found', `there is no response "${request.params.id.slice(0, 64)}"`, {
    hint: 'Old ones are removed after a while, and those made with store: false are not kept.',
    details: { param: 'id' }
  })
}

/** The events above a sequence number, and those to come. */
async function replay(
  components: ResponseRouteComponents,
  job: Job,
  after: number,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<FastifyReply> {
  using admitted = components.requestLimiter.admit(reply.raw)
  const wanted = (payload: unknown): boolean => responseEventSchema.parse(payload).sequence_number > after
  return await sendStream(components, { job, view: new ResponseView(job), admitted, wanted }, request, reply)
}

/** Resolves with the job when it has ended, by itself or because it was asked to. */
async function end({ runtime, requestLimiter }: ResponseRouteComponents, job: Job, reply: FastifyReply): Promise<Job> {
  if (isFinal(job.state)) return job
  using admitted = requestLimiter.admit(reply.raw)
  await runtime.cancel(job.id)
  return await runtime.untilEnd(job.id, { signal: admitted.signal })
}
