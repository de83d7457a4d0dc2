import {
  addRoute,
  type ById,
  deletedOf,
  pagedListOf,
  parseInput,
  Resource,
  toPage,
  unknownCursor
} from '@resultity/api-kit'
import { invalidRequest, MeshError } from '@resultity/interface'
import type { JobKinds } from '@resultity/jobs'
import { isFinal, type Job, type JobStore, jobStates } from '@resultity/store'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { type JobRouteComponents, jobReply, sendStream } from './job-routes.ts'
import { pendingReply, requestSchema, toRequestView } from './request-view.ts'
import { forgetOnceDelivered } from './unstored-answers.ts'

export interface RequestRouteComponents extends JobRouteComponents {
  readonly store: JobStore
  readonly kinds: JobKinds
}

const PAGE_MAX = 100

export const requestListQuerySchema = z.looseObject({
  status: z.enum(jobStates).optional(),
  endpoint: z.string().max(128).optional(),
  after: z.string().max(128).optional(),
  order: z.enum(['asc', 'desc']).optional(),
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(20)
})

export const eventsQuerySchema = z.looseObject({
  /** Number of the last entry that was seen. */
  after: z.coerce.number().int().min(0).optional(),
  /** `log`: entries as they are. `endpoint`: as the endpoint itself streams them. */
  format: z.enum(['log', 'endpoint']).default('log')
})

const requests = new Resource('/v1/requests')

const routes = {
  list: requests.list({
    id: 'listRequests',
    summary: 'Your requests of every kind, the newest first.',
    query: requestListQuerySchema,
    json: pagedListOf('RequestList', requestSchema)
  }),
  retrieve: requests.retrieve({ id: 'retrieveRequest', summary: 'How far a request is.', json: requestSchema }),
  result: requests.part('result', {
    id: 'retrieveRequestResult',
    summary: 'The answer of the endpoint, with its status: what the client would have got by waiting.',
    answers: {
      200: { description: 'The answer.', media: ['application/json'] },
      202: { description: 'Not yet.', json: requestSchema }
    },
    errors: [400, 401, 403, 410, 422, 429, 500, 502, 503, 504, 507]
  }),
  cancel: requests.action('cancel', {
    id: 'cancelRequest',
    summary: 'Ends a request; one that has ended stays as it is.',
    json: requestSchema
  }),
  remove: requests.remove({
    id: 'deleteRequest',
    summary: 'Removes a request that has ended, with its answer and its log.',
    json: deletedOf('request.deleted'),
    errors: [400]
  }),
  events: requests.part('events', {
    id: 'streamRequestEvents',
    summary: 'The event log of a request from an entry on, and live until the request ends.',
    query: eventsQuerySchema,
    answers: {
      200: {
        description: "Server-sent events; as Ollama's endpoints stream, lines of JSON.",
        media: ['text/event-stream', 'application/x-ndjson']
      }
    },
    errors: [429]
  })
}

/** `/v1/requests`: the state and the answer of each request, whether or not a client waits for it. */
export function addRequestRoutes(server: FastifyInstance, components: RequestRouteComponents): void {
  const { store, runtime } = components
  addRoute(server, routes.list, async request => list(store, request))
  addRoute<ById>(server, routes.retrieve, async (request, reply) => {
    const job = await own(store, request)
    if (!isFinal(job.state)) reply.headers({ 'retry-after': '1', 'openai-poll-after-ms': '1000' })
    const position = job.state === 'queued' ? await store.position(job.id) : undefined
    return toRequestView(job, position)
  })
  addRoute<ById>(server, routes.result, async (request, reply) => {
    const job = await own(store, request)
    if (!isFinal(job.state)) return pendingReply(reply, job)
    forgetOnceDelivered(components, job, reply, false)
    return jobReply(reply, job, components.kinds.errorFormatOf(job.endpoint))
  })
  addRoute<ById>(server, routes.cancel, async request => {
    const { id } = await own(store, request)
    const job = await runtime.cancel(id)
    if (job === undefined) throw unknownRequest(id)
    return toRequestView(job)
  })
  addRoute<ById>(server, routes.remove, async request => {
    const { id, state } = await own(store, request)
    if (!isFinal(state)) {
      throw invalidRequest('id', `request ${id} is ${state}`, 'Cancel it first, or wait for its end.')
    }
    await store.remove(id)
    return { id, object: 'request.deleted', deleted: true }
  })
  addRoute<ById>(server, routes.events, async (request, reply) => events(components, request, reply))
}

/** @throws MeshError `not_found` also for what belongs to somebody else: its existence is nobody's business */
async function own(store: JobStore, request: FastifyRequest<ById>): Promise<Job> {
  const job = await store.get(request.params.id)
  if (job === undefined || job.namespace !== request.caller.namespace) throw unknownRequest(request.params.id)
  return job
}

function unknownRequest(id: string): MeshError {
  return new MeshError('not_found', `there is no request "${id.slice(0, 64)}"`, {
    hint: 'GET /v1/requests lists yours; old ones are removed after a while.',
    details: { param: 'id' }
  })
}

async function list(store: JobStore, request: FastifyRequest) {
  const { status, endpoint, after, order, limit } = parseInput(requestListQuerySchema, request.query)
  if (after !== undefined) {
    const cursor = await store.get(after)
    if (cursor?.namespace !== request.caller.namespace) {
      throw unknownCursor(after, 'request of yours')
    }
  }
  const { jobs, hasMore } = await store.list({
    namespace: request.caller.namespace,
    limit,
    ...(status === undefined ? {} : { states: [status] }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(after === undefined ? {} : { after }),
    ...(order === undefined ? {} : { order })
  })
  return toPage(
    jobs.map(job => toRequestView(job)),
    hasMore
  )
}

/** The log from an entry on, and what comes; ends when the request does. */
async function events(
  components: RequestRouteComponents,
  request: FastifyRequest<ById>,
  reply: FastifyReply
): Promise<FastifyReply> {
  const job = await own(components.store, request)
  forgetOnceDelivered(components, job, reply, false)
  const { format } = parseInput(eventsQuerySchema, request.query)
  const after = entryAfter(request)
  const view = format === 'endpoint' ? components.kinds.get(job.endpoint).view?.(job) : undefined
  if (format === 'endpoint' && view === undefined) {
    throw invalidRequest('format', `${job.endpoint} does not stream`, 'Use format=log.')
  }
  using admitted = components.requestLimiter.admit(reply.raw)
  return await sendStream(components, { job, view, admitted, after }, request, reply)
}

/** `?after=N`, or what an EventSource sends by itself when it reconnects. */
function entryAfter(request: FastifyRequest): number {
  const { after } = parseInput(eventsQuerySchema, request.query)
  const header = request.headers['last-event-id']
  if (after !== undefined || header === undefined) return after ?? 0
  const seen = Number(header)
  if (Number.isSafeInteger(seen) && seen >= 0 && header !== '') return seen
  throw invalidRequest('last-event-id', `Last-Event-ID is "${String(header).slice(0, 32)}" and no entry's number`)
}
