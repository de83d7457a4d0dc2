import { requireSubcloudsOf } from '@resultity/access'
import {
  type AdmittedRequest,
  type ApiRoute,
  addRoute,
  asyncQuerySchema,
  BinaryStream,
  bodyInSubcloud,
  type ErrorFormat,
  EventStream,
  errorEvent,
  idempotencyOf,
  jobErrorReply,
  LineStream,
  type RequestLimiter,
  type TextStreamInit,
  wantsAsync
} from '@resultity/api-kit'
import { MeshError, type Scheduler, systemScheduler } from '@resultity/interface'
import {
  BEGUN,
  type Begun,
  begunOf,
  type DiskSpace,
  type Following,
  type JobKind,
  type JobRuntime,
  type PreparedJob,
  placesOf,
  type StreamView
} from '@resultity/jobs'
import type { Job, JobStore } from '@resultity/store'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { z } from 'zod'
import type { AnswerMetrics } from '../answer/answer-metrics.ts'
import { acceptedReply, requestSchema } from './request-view.ts'
import { forgetOnceDelivered } from './unstored-answers.ts'

export interface JobRouteComponents {
  readonly runtime: JobRuntime
  readonly store: JobStore
  readonly requestLimiter: RequestLimiter
  readonly metrics: AnswerMetrics
  readonly logger: Logger
  readonly limits: Omit<TextStreamInit, 'headers'>
  readonly disk: DiskSpace
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/** An endpoint and its route. The route need not declare 202, nor the statuses with which every job may fail. */
export interface HttpEndpoint<Data = unknown> extends JobKind<Data> {
  readonly api: ApiRoute
}

/** What any job may fail with. */
const JOB_ERRORS = [400, 401, 403, 404, 410, 413, 422, 429, 500, 502, 503, 504, 507]

/** `POST` of an endpoint: its answer, its answer as it comes, or where to fetch it later. */
export function addJobRoute(server: FastifyInstance, components: JobRouteComponents, endpoint: HttpEndpoint): void {
  const { api } = endpoint
  const accepted = {
    description: 'Taken; the client asked not to wait (`Prefer: respond-async`, or `?async=true`).',
    json: requestSchema,
    headers: { location: 'Where to ask for it.', 'retry-after': 'Seconds until that is worth it.' }
  }
  const errors = [...new Set([...(api.errors ?? []), ...JOB_ERRORS])].toSorted((a, b) => a - b)
  const route: ApiRoute = {
    ...api,
    query: z.looseObject({ ...api.query?.shape, ...asyncQuerySchema.shape }),
    answers: { ...api.answers, 202: accepted },
    errors
  }
  addRoute(server, route, async (request, reply) => {
    request.body = bodyInSubcloud(request)
    requireSubcloudsOf(request.caller, request.body)
    await components.disk.requireSpace()
    const complete = await completed(components, endpoint, request, reply)
    const prepared = await endpoint.prepare(complete ?? request.body)
    reply.headers(prepared.headers ?? {})
    if (wantsAsync(request)) return await accept(components, endpoint, prepared, request, reply)
    return await answer(components, endpoint, prepared, request, reply)
  })
}

/** Looking things up may take seconds, as of a recording that is measured: it ends when the client hangs up. */
async function completed(
  { requestLimiter }: JobRouteComponents,
  endpoint: JobKind,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<unknown> {
  if (endpoint.complete === undefined) return undefined
  using admitted = requestLimiter.admit(reply.raw)
  const { body, caller } = request
  const origin = originOf(request)
  return await endpoint.complete(body, caller.namespace, { signal: admitted.signal, ...(origin && { origin }) })
}

/** By the client's own words: what is made of it is told to that client alone. */
function originOf({ protocol, headers }: FastifyRequest): string | undefined {
  const url = URL.parse(`${protocol}://${headers.host}`)
  return url === null || url.pathname !== '/' || url.search !== '' || url.username !== '' ? undefined : url.origin
}

/** 202: the client comes back for it. */
async function accept(
  { runtime }: JobRouteComponents,
  endpoint: JobKind,
  prepared: PreparedJob,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<FastifyReply> {
  const { job, created } = await submit(runtime, endpoint, prepared, request, true)
  return acceptedReply(reply, job, created)
}

async function answer(
  components: JobRouteComponents,
  endpoint: JobKind,
  prepared: PreparedJob,
  request: FastifyRequest,
  reply: FastifyReply
) {
  const { runtime, requestLimiter } = components
  using admitted = requestLimiter.admit(reply.raw)
  if (prepared.background !== true) endpoint.check(prepared.data)
  // who sends a key means to ask again when the connection fails
  const detached = prepared.outlivesClient || request.headers['idempotency-key'] !== undefined
  const { job, created } = await submit(runtime, endpoint, prepared, request, detached)
  if (!created) reply.header('idempotency-replayed', 'true').header('x-resultity-request-id', job.id)
  using _ = detached ? undefined : cancelOnHangUp(runtime, job.id, admitted)
  if (prepared.background !== true) forgetOnceDelivered(components, job, reply, !detached)
  const view = prepared.streamed ? endpoint.view?.(job) : undefined
  if (view !== undefined) {
    const streamed = { job, view, admitted }
    // there is nothing to wait for where the answer begins with its acknowledgement
    if (prepared.background === true) return await sendStream(components, streamed, request, reply)
    return await stream(components, streamed, request, reply)
  }
  if (prepared.background === true && endpoint.acknowledge !== undefined) return reply.send(endpoint.acknowledge(job))
  return await whole(runtime, job, admitted, reply)
}

async function submit(
  runtime: JobRuntime,
  endpoint: JobKind,
  prepared: PreparedJob,
  request: FastifyRequest,
  detached: boolean
) {
  const idempotency = idempotencyOf(request)
  // what was sent is in what was prepared; a slow reader need not hold it twice
  request.body = undefined
  const { prompt, answerMax } = prepared.tokens
  const weight = { tokens: prompt + answerMax, places: placesOf(prepared) }
  return await request.admit({ endpoint: endpoint.path, ...weight }, () =>
    runtime.submit(prepared, {
      id: request.id,
      endpoint: endpoint.path,
      namespace: request.caller.namespace,
      keyId: request.caller.keyId,
      detached,
      ...(idempotency === undefined ? {} : { idempotency })
    })
  )
}

/** Frees what the job holds as soon as nobody waits for it. A coordinator that stops ends its jobs itself. */
function cancelOnHangUp(runtime: JobRuntime, jobId: string, { signal }: AdmittedRequest): Disposable {
  const onAbort = (): void => {
    if (MeshError.from(signal.reason).code !== 'canceled') return
    // a failure of the store is reported where the job is waited for
    runtime.cancel(jobId).catch(() => {})
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', onAbort) }
}

async function whole(runtime: JobRuntime, job: Job, { signal }: AdmittedRequest, reply: FastifyReply) {
  return jobReply(reply, await runtime.untilEnd(job.id, { signal }))
}

/** The HTTP answer that a job ended with. @param errorFormat that of the route, unless another is the job's */
export function jobReply(
  reply: FastifyReply,
  job: Job,
  errorFormat: ErrorFormat | undefined = reply.request.routeOptions.config.api?.errorFormat
) {
  const failure = jobErrorReply(job)
  if (failure !== undefined) {
    const body = errorFormat?.write(failure, job.id) ?? failure.body
    return reply.code(failure.status).headers(failure.headers).send(body)
  }
  if (job.result === null) throw new MeshError('internal', `request ${job.id} ended without a result`)
  const { status, headers, body, encoding } = job.result
  const sent = encoding === 'base64' && typeof body === 'string' ? Buffer.from(body, 'base64') : body
  return reply.code(status).headers(headers).send(sent)
}

/** A job's log, for one reader. */
export interface StreamedJob {
  readonly job: Job
  /** Undefined: the entries as they are. */
  readonly view: StreamView | undefined
  readonly admitted: AdmittedRequest
  /** Number of the last entry that the reader has. Default 0: none, and what stands before the first is sent too. */
  readonly after?: number
  /** Which payloads are sent of what comes after that. Default: all. */
  readonly wanted?: (payload: unknown) => boolean
}

/** Sends the answer as it comes. What goes wrong before it begins is an HTTP error; after that, an event. */
async function stream(
  components: JobRouteComponents,
  streamed: StreamedJob,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<FastifyReply> {
  using following = components.runtime.follow(streamed.job.id)
  const entries = following.entries(0, { signal: streamed.admitted.signal })
  const first = await untilBegun(entries)
  if ('ended' in first) return jobReply(reply, first.ended)
  reply.headers(first.begun.headers)
  return await sendEntries(components, streamed, entries, request, reply)
}

/** Sends a log, and what comes, until the job ends or the reader leaves. */
export async function sendStream(
  components: JobRouteComponents,
  streamed: StreamedJob,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<FastifyReply> {
  using following = components.runtime.follow(streamed.job.id)
  // a view begins at the beginning
  const after = streamed.view === undefined ? streamed.after : 0
  const entries = following.entries(after ?? 0, { signal: streamed.admitted.signal })
  return await sendEntries(components, streamed, entries, request, reply)
}

type Entries = ReturnType<Following['entries']>

/** A stream by either form; lines have neither numbers nor names. */
interface AnswerStream {
  send(payload: unknown, id?: number, name?: string): Promise<void> | undefined
  cut(error: MeshError): void
}

async function sendEntries(
  components: JobRouteComponents,
  { view, after = 0, wanted = () => true }: StreamedJob,
  entries: Entries,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<FastifyReply> {
  const { metrics, limits, scheduler = systemScheduler } = components
  reply.hijack()
  const init = { ...limits, headers: textHeaders(reply), scheduler }
  const events = openStream(reply, view, init)
  try {
    if (view !== undefined) {
      await sendView(events, view, entries, (payload, entry) => {
        return (entry > after || after === 0) && wanted(payload)
      })
    } else if (events instanceof EventStream) {
      for await (const entry of entries) await events.sendEntry(entry)
    }
  } catch (error) {
    await sendFailure(components, { events, view }, request, MeshError.from(error))
  } finally {
    events.end()
    const { url = 'unknown' } = request.routeOptions
    metrics.requests.inc({ route: url, method: request.method, status: '200' })
  }
  return reply
}

function openStream(
  reply: FastifyReply,
  view: StreamView | undefined,
  init: TextStreamInit
): EventStream | LineStream | BinaryStream {
  if (view?.mediaType !== undefined) return new BinaryStream(reply.raw, view.mediaType, init)
  return view?.lines === true ? new LineStream(reply.raw, init, () => view.idle?.()) : new EventStream(reply.raw, init)
}

async function untilBegun(entries: Entries): Promise<{ begun: Begun } | { ended: Job }> {
  for (;;) {
    const { value, done } = await entries.next()
    if (done === true) return { ended: value }
    if (value.type === BEGUN) return { begun: begunOf(value) }
  }
}

/** A job's log as its endpoint streams it, then its end. */
async function sendView(
  events: AnswerStream,
  view: StreamView,
  entries: Entries,
  wanted: (payload: unknown, entry: number) => boolean
): Promise<void> {
  const send = (payload: unknown, entry: number): Promise<void> | undefined => {
    const id = entry === 0 || entry === Number.POSITIVE_INFINITY ? undefined : entry
    return wanted(payload, entry) ? events.send(payload, id, nameOf(view, payload)) : undefined
  }
  for (const payload of view.begin()) await send(payload, 0)
  for (;;) {
    const { value, done } = await entries.next()
    if (done === true) {
      for (const payload of endPayloads(view, value)) await send(payload, Number.POSITIVE_INFINITY)
      return
    }
    for (const payload of view.render(value)) {
      const full = send(payload, value.number)
      if (full !== undefined) await full
    }
  }
}

function nameOf({ named }: StreamView, payload: unknown): string | undefined {
  if (named !== true || payload === null || typeof payload !== 'object' || !('type' in payload)) return undefined
  return String(payload.type)
}

function endPayloads(view: StreamView, job: Job): readonly unknown[] {
  const failure = jobErrorReply(job)
  if (failure === undefined) return view.end(job)
  // a file cannot say what went wrong: it is cut off
  if (view.mediaType !== undefined) throw new MeshError('unavailable', `request ${job.id} ended before its file did`)
  return view.fail?.(job) ?? [failure.body]
}

/** Tells the client, if it is still there, and ends cleanly. */
async function sendFailure(
  { logger }: JobRouteComponents,
  { events, view }: { readonly events: AnswerStream; readonly view: StreamView | undefined },
  request: FastifyRequest,
  error: MeshError
): Promise<void> {
  if (error.code === 'canceled') {
    logger.info({ requestId: request.id, reason: error.message }, 'a client left its stream')
    return events.cut(error)
  }
  logger.warn({ err: error, requestId: request.id }, 'a stream ended with an error')
  if (view?.mediaType !== undefined) return events.cut(error)
  const payload = view?.interrupt?.(error.forClient()) ?? errorEvent(error)
  try {
    await events.send(payload, undefined, view === undefined ? undefined : nameOf(view, payload))
  } catch (cause) {
    events.cut(MeshError.from(cause))
  }
}

function textHeaders(reply: FastifyReply): Record<string, string> {
  const headers = Object.entries(reply.getHeaders())
  return Object.fromEntries(headers.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
}
