import { randomUUID } from 'node:crypto'
import { addRoute, type ById, parseInput, Resource, subcloudOf } from '@resultity/api-kit'
import { type Clock, invalidRequest, MeshError, withParam } from '@resultity/interface'
import { BATCHES_PATH, type BatchEndpoint, countLines, type FileService, type JobRuntime } from '@resultity/jobs'
import {
  type Batch,
  type BatchStore,
  isFinal,
  type JobStore,
  type NewBatch,
  unfinishedStatuses
} from '@resultity/store'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { batchListSchema, batchSchema, createBatchSchema, toBatch } from './batch-schema.ts'

export interface BatchRouteComponents {
  readonly batches: BatchStore
  readonly store: JobStore
  readonly fileService: FileService
  readonly runtime: JobRuntime
  readonly batchEndpoint: BatchEndpoint
  /** Paths that lines may ask. */
  readonly linePaths: readonly string[]
  readonly clock: Clock
}

/** The only completion window there is. */
const DAY_MS = 24 * 60 * 60_000

/** A batch whose coordinator was away when its time was over still has its answers written. */
const ENDING_MS = 7 * DAY_MS

/** When to ask again how far a batch is. */
const POLL_MS = 1000

const listQuerySchema = z.looseObject({
  after: z.string().max(128).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20)
})

const polled = {
  200: { json: batchSchema, headers: { 'openai-poll-after-ms': 'When to ask again, while it has not ended.' } }
}

const resource = new Resource(BATCHES_PATH)

const routes = {
  create: resource.create({
    id: 'createBatch',
    summary: 'Begins a batch: every line of a file is a request.',
    body: createBatchSchema,
    answers: polled,
    errors: [404, 429, 503]
  }),
  list: resource.list({
    id: 'listBatches',
    summary: 'Your batches, the newest first.',
    query: listQuerySchema,
    json: batchListSchema,
    errors: [404]
  }),
  retrieve: resource.retrieve({ id: 'retrieveBatch', summary: 'How far a batch is.', answers: polled }),
  cancel: resource.action('cancel', {
    id: 'cancelBatch',
    summary: 'Ends a batch; what was answered by then is kept. One that has ended stays as it is.',
    answers: polled
  })
}

/** `/v1/batches`. */
export function addBatchRoutes(server: FastifyInstance, components: BatchRouteComponents): void {
  const { batches } = components
  addRoute(server, routes.create, async (request, reply) => show(components, await create(components, request), reply))
  addRoute(server, routes.list, async request => list(components, request))
  addRoute<ById>(server, routes.retrieve, async (request, reply) =>
    show(components, await own(components, request), reply)
  )
  addRoute<ById>(server, routes.cancel, async (request, reply) => {
    const batch = await own(components, request)
    const change = { status: 'cancelling' } as const
    const cancelling = await batches.change(batch.id, ['validating', 'in_progress'], change, components.clock.now())
    // the coordinator that runs it sees this too, but waiting lines need not wait for that
    if (cancelling !== undefined) await components.store.cancelGroup(batch.jobId)
    return show(components, cancelling ?? (await own(components, request)), reply)
  })
}

async function create(components: BatchRouteComponents, request: FastifyRequest): Promise<Batch> {
  const body = parseInput(createBatchSchema, request.body)
  const { namespace, keyId } = request.caller
  if (!components.linePaths.includes(body.endpoint)) {
    const paths = components.linePaths.join(', ')
    throw invalidRequest('endpoint', `no batch is made for "${body.endpoint.slice(0, 128)}"`, `Use one of ${paths}.`)
  }
  await readable(components.fileService, body.input_file_id, namespace)
  const now = components.clock.now()
  const digits = randomUUID().replaceAll('-', '')
  const batch: NewBatch = {
    id: `batch_${digits}`,
    namespace,
    keyId,
    jobId: `req_${digits}`,
    endpoint: body.endpoint,
    inputFileId: body.input_file_id,
    completionWindow: body.completion_window,
    metadata: body.metadata ?? null,
    outputExpiresSeconds: body.output_expires_after?.seconds ?? null,
    subcloud: subcloudOf(request) ?? null,
    createdAtMs: now,
    expiresAtMs: now + DAY_MS
  }
  // the job first: it has all that the batch is, so that none is left without one
  await components.runtime.submit(await components.batchEndpoint.prepare(batch), {
    id: batch.jobId,
    endpoint: BATCHES_PATH,
    namespace,
    keyId,
    class: 'batch',
    detached: true,
    hidden: true,
    waitMs: DAY_MS + ENDING_MS
  })
  return await components.batches.add(batch)
}

/** @throws MeshError `invalid_request` for what is no input of a batch, and where there is no room for its output */
async function readable(fileService: FileService, fileId: string, namespace: string): Promise<void> {
  await fileService.requireRoom(namespace).catch((cause: unknown) => {
    throw withParam(cause, 'input_file_id')
  })
  const file = await fileService.find(fileId, namespace).catch((cause: unknown) => {
    throw withParam(cause, 'input_file_id')
  })
  if (file.purpose === 'batch') return
  throw invalidRequest('input_file_id', `the purpose of ${file.id} is "${file.purpose}"`, 'Upload it for "batch".')
}

async function list(components: BatchRouteComponents, request: FastifyRequest) {
  const { after, limit } = parseInput(listQuerySchema, request.query)
  const { namespace } = request.caller
  if (after !== undefined) await find(components, after, namespace)
  const page = await components.batches.list({ namespace, limit, ...(after === undefined ? {} : { after }) })
  const data = await Promise.all(page.batches.map(async batch => toBatch(batch, await countLines(batch, components))))
  return {
    object: 'list',
    data,
    has_more: page.hasMore,
    ...(data.length === 0 ? {} : { first_id: data[0]?.id, last_id: data.at(-1)?.id })
  }
}

async function own(components: BatchRouteComponents, request: FastifyRequest<ById>): Promise<Batch> {
  return await find(components, request.params.id, request.caller.namespace)
}

/** @throws MeshError `not_found`, also for what belongs to somebody else */
async function find(components: BatchRouteComponents, id: string, namespace: string): Promise<Batch> {
  const batch = await components.batches.find(id)
  if (batch?.namespace === namespace) return await withItsJob(components, batch)
  throw new MeshError('not_found', `there is no batch "${id.slice(0, 64)}"`, {
    hint: 'GET /v1/batches lists yours.',
    details: { param: 'batch_id' }
  })
}

/** A batch whose job was given up, coordinator after coordinator having died over it, has failed with it. */
async function withItsJob({ batches, store, clock }: BatchRouteComponents, batch: Batch): Promise<Batch> {
  if (!unfinishedStatuses.includes(batch.status)) return batch
  const job = await store.get(batch.jobId)
  if (job === undefined || !isFinal(job.state) || job.state === 'succeeded') return batch
  const { code = job.state, message = `its job is ${job.state}` } = job.error ?? {}
  const failures = [{ code, message, line: null, param: null }]
  const change = { status: 'failed' as const, failures }
  return (await batches.change(batch.id, unfinishedStatuses, change, clock.now())) ?? batch
}

async function show(components: BatchRouteComponents, batch: Batch, reply: FastifyReply) {
  if (unfinishedStatuses.includes(batch.status)) reply.header('openai-poll-after-ms', String(POLL_MS))
  return toBatch(batch, await countLines(batch, components))
}
