import { type ApiRoute, errorReply, jobErrorReply, parseInput } from '@resultity/api-kit'
import { invalidRequest, MeshError, safeParse } from '@resultity/interface'
import {
  batchRequestSchema,
  type ChildJobs,
  expectedBytes,
  type JobAnswer,
  type JobContext,
  type JobKind,
  type PreparedJob,
  type PreparedLine,
  prepareLine,
  readBatchRequest,
  TimeSlice
} from '@resultity/jobs'
import { type Job, type JsonValue, OUTER_GROUP_LANE } from '@resultity/store'
import { z } from 'zod'
import { sumUsage, tokenUsageSchema, toTokenUsage } from '../answer/token-usage.ts'
import { steeringFields } from '../chat/chat-schema.ts'
import type { HttpEndpoint } from '../requests/job-routes.ts'

export interface InlineBatchComponents {
  readonly children: ChildJobs
  /** What the requests may ask. @throws MeshError */
  endpoint(path: string): JobKind
}

export interface InlineBatchInit {
  /** Requests of one call. */
  readonly inlineBatchMax: number
  /** How long each of them waits for a place. */
  readonly detachedWaitMs: number
}

/** Requests of one call, unless the operator says otherwise. */
export const INLINE_BATCH_MAX = 1000

/** Where requests run that do not say. */
const meshField = { mesh: z.looseObject({ subcloud: steeringFields.subcloud }).nullish() }

const bodySchema = z
  .looseObject({
    /** Wrong ones do not fail the others: each has an answer of its own. */
    requests: z.array(z.union([batchRequestSchema, z.unknown()])).min(1),
    /** `false`: nothing of it is kept once the client has the answers. */
    store: z.boolean().nullish(),
    ...meshField
  })
  .meta({ id: 'InlineBatchRequest' })

const answerSchema = z
  .object({
    id: z.string(),
    object: z.literal('batch.result'),
    created: z.int(),
    request_counts: z.object({ total: z.int(), completed: z.int(), failed: z.int() }),
    usage: tokenUsageSchema,
    /** In the order of the requests. */
    responses: z.array(
      z.object({
        custom_id: z.string().nullable(),
        response: z.object({ status_code: z.int(), request_id: z.string(), body: z.unknown() })
      })
    )
  })
  .meta({ id: 'InlineBatch' })

/** Of all answers together, which are one answer in memory: as much as ten pictures of a megapixel. */
const RESULT_BYTES_MAX = 64 * 1024 * 1024

/** What makes one answer of the batch. */
interface Item {
  readonly index: number
  readonly line: PreparedLine
  readonly url: string
}

/** `POST /v1/batch`: many requests in one, answered together and in their order. */
export class InlineBatchEndpoint implements HttpEndpoint<readonly Item[]> {
  readonly path = '/v1/batch'
  readonly api: ApiRoute = {
    method: 'POST',
    path: this.path,
    id: 'createInlineBatch',
    summary: 'Answers many requests in one call, in their order.',
    body: bodySchema,
    answers: { 200: { description: 'Every answer, failures too.', json: answerSchema } }
  }
  readonly #components: InlineBatchComponents
  readonly #init: InlineBatchInit

  constructor(components: InlineBatchComponents, init: InlineBatchInit) {
    this.#components = components
    this.#init = init
  }

  async prepare(body: unknown): Promise<PreparedJob<readonly Item[]>> {
    const { inlineBatchMax } = this.#init
    const requests = z.array(z.unknown()).min(1).max(inlineBatchMax, `at most ${inlineBatchMax} requests a call`)
    const parsed = parseInput(z.looseObject({ requests, store: z.boolean().nullish(), ...meshField }), body)
    const items = await this.#items(parsed.requests, parsed.mesh?.subcloud ?? undefined)
    const prepared = items.flatMap(({ line }) => (line.type === 'job' ? [line.prepared] : []))
    const resultBytes = resultBytesOf(prepared)
    return {
      lane: OUTER_GROUP_LANE,
      // with what each request was completed by: a seed
      request: {
        ...parsed,
        requests: items.map(({ line }, index) => stored(parsed.requests[index], line))
      } as JsonValue,
      streamed: false,
      outlivesClient: false,
      tokens: {
        prompt: prepared.reduce((sum, { tokens }) => sum + tokens.prompt, 0),
        answerMax: prepared.reduce((sum, { tokens }) => sum + tokens.answerMax, 0)
      },
      ...(resultBytes === undefined ? {} : { resultBytes }),
      unstored: parsed.store === false,
      data: items
    }
  }

  /** Each request says for itself that nothing serves it. */
  check(): void {}

  async run(items: readonly Item[], context: JobContext): Promise<JobAnswer> {
    const { job } = context
    const jobs = await Promise.all(items.map(item => this.#answer(item, context)))
    const failed = jobs.filter(one => one instanceof MeshError || one.state !== 'succeeded').length
    const usage = sumUsage(jobs.flatMap(one => (one instanceof MeshError ? [] : (one.usage ?? []))))
    const body = {
      id: job.id.replace(/^req_/, 'batch_'),
      object: 'batch.result',
      created: Math.floor(job.createdAtMs / 1000),
      request_counts: { total: jobs.length, completed: jobs.length - failed, failed },
      usage: toTokenUsage(usage),
      responses: jobs.map((one, index) => ({
        custom_id: items[index]?.line.customId ?? null,
        response: one instanceof MeshError ? refused(one, job) : answered(one)
      }))
    }
    return { result: { status: 200, headers: {}, body }, usage }
  }

  /**
   * One after the other: those before say which names are taken.
   * @throws MeshError what may pass, for one of them as for all: a client sends the call again, not one request of it
   */
  async #items(requests: readonly unknown[], subcloud: string | undefined): Promise<Item[]> {
    const rules = { seen: new Set<string>(), subcloud }
    const slice = new TimeSlice()
    const items: Item[] = []
    for (const [index, request] of requests.entries()) {
      const line = readBatchRequest(request, rules)
      items.push({ index, line: await prepareLine(line, url => this.#components.endpoint(url)), url: urlOf(request) })
      await slice.next()
    }
    return items
  }

  /** @throws MeshError what may pass, which is not the request's own failure; the signal's reason */
  async #answer({ index, line, url }: Item, { job, signal }: JobContext): Promise<Job | MeshError> {
    if (line.type === 'error') return line.error
    const { children } = this.#components
    try {
      const waitMs = this.#init.detachedWaitMs
      const part = { name: `${index}`, endpoint: url, prepared: line.prepared, waitMs }
      const child = await children.submit(job, part, { signal })
      return await children.untilEnd(child.id, { signal })
    } catch (error) {
      signal.throwIfAborted()
      const known = MeshError.from(error)
      if (known.retryable) throw known
      return known
    }
  }
}

/**
 * Bytes of all answers, where tokens do not bound them.
 * @throws MeshError `invalid_request` where they are too many for one answer
 */
function resultBytesOf(prepared: readonly PreparedJob[]): number | undefined {
  if (prepared.every(({ resultBytes }) => resultBytes === undefined)) return undefined
  const bytes = prepared.reduce((sum, one) => sum + expectedBytes(one, false), 0)
  if (bytes <= RESULT_BYTES_MAX) return bytes
  const most = `these may have ${bytes} bytes, and one answer has at most ${RESULT_BYTES_MAX}`
  const hint = 'Send fewer in one call, smaller pictures, or a batch of /v1/batches.'
  throw invalidRequest('requests', `the answers are too large for one: ${most}`, hint)
}

function stored(request: unknown, line: PreparedLine): unknown {
  if (line.type === 'error') return request
  return { ...(request as object), body: line.prepared.request }
}

function urlOf(request: unknown): string {
  return safeParse(z.looseObject({ url: z.string() }), request).data?.url ?? ''
}

function answered(job: Job) {
  const failure = jobErrorReply(job)
  if (failure !== undefined) return { status_code: failure.status, request_id: job.id, body: { ...failure.body } }
  return { status_code: job.result?.status ?? 200, request_id: job.id, body: job.result?.body ?? null }
}

function refused(error: MeshError, parent: Job) {
  const { status, body } = errorReply(error)
  return { status_code: status, request_id: parent.id, body: { ...body } }
}
