import type { ApiAnswer, ApiRoute } from '@resultity/api-kit'
import {
  type AbortOptions,
  invalidRequest,
  MeshError,
  RELAYED_ANSWER_BYTES_MAX,
  RELAYED_EVENT_BYTES_MAX,
  RELAYED_EVENTS_MAX,
  safeParse
} from '@resultity/interface'
import { BEGUN, type JobAnswer, type JobContext, jobBodyOf, type PreparedJob, type StreamView } from '@resultity/jobs'
import { type AnswerMetrics, answerJob, CHOICE, type HttpEndpoint } from '@resultity/openai'
import type { NodePool, NodePools, ServedModels } from '@resultity/placement'
import { type Job, ofModelLane } from '@resultity/store'
import { z } from 'zod'
import { notAnAnswer } from './not-an-answer.ts'
import type { OfferedModels } from './offered-models.ts'
import { type RelayCallComponents, type RelayCallInit, relay } from './relay-calls.ts'
import type { AnswerGatherer, RelayableRequest, RelayDialect, RelayedAnswer } from './relay-dialect.ts'

export interface RelayComponents extends RelayCallComponents {
  readonly offered: OfferedModels
  readonly models: ServedModels
  /** Names of several models together. */
  readonly aliases: { get(name: string): unknown }
  readonly pools: NodePools
  readonly metrics: Pick<AnswerMetrics, 'generations' | 'promptTokens' | 'completionTokens'>
}

/** A request of a model of the mesh, which the wrapped endpoint runs, or of one of a server beside a node. */
type OwnOrRelayed<Request> =
  | { readonly type: 'own'; readonly data: unknown }
  | {
      readonly type: 'relayed'
      readonly request: Request
      readonly model: string
      readonly pool: NodePool
      readonly promptTokens: number
    }

type Relayed<Request> = Extract<OwnOrRelayed<Request>, { type: 'relayed' }>

const namesSchema = z.looseObject({ model: z.string(), models: z.unknown().optional() })

/**
 * Passes requests on that name a model of a server beside a node. A model of the mesh comes first: where both have a name, the
 * server's cannot be asked by it.
 */
export class RelayEndpoint<Request extends RelayableRequest> implements HttpEndpoint<OwnOrRelayed<Request>> {
  readonly api: ApiRoute
  readonly path: string
  readonly #components: RelayComponents
  readonly #init: RelayCallInit
  readonly #endpoint: HttpEndpoint
  readonly #dialect: RelayDialect<Request>

  constructor(
    components: RelayComponents,
    init: RelayCallInit,
    endpoint: HttpEndpoint,
    dialect: RelayDialect<Request>
  ) {
    this.#components = components
    this.#init = init
    this.#endpoint = endpoint
    this.#dialect = dialect
    this.api = { ...endpoint.api, answers: { ...endpoint.api.answers, 200: described(endpoint.api, dialect) } }
    this.path = endpoint.path
  }

  async complete(body: unknown, namespace: string, options: AbortOptions = {}): Promise<unknown> {
    return (await this.#endpoint.complete?.(body, namespace, options)) ?? body
  }

  async prepare(body: unknown): Promise<PreparedJob<OwnOrRelayed<Request>>> {
    const named = safeParse(namesSchema, body)
    const model = named.success && named.data.models == null ? named.data.model : undefined
    if (model === undefined || !isRelayed(this.#components, model)) {
      const own = await this.#endpoint.prepare(body)
      return { ...own, data: { type: 'own', data: own.data } }
    }
    const { offered } = this.#components
    const request = this.#dialect.parse(body)
    const routing = this.#components.pools.routingTo(model, request.mesh)
    if ((routing.stages ?? 1) > 1) {
      throw invalidRequest('mesh.stages', `"${model}" is one of a server beside a node, which has it whole`)
    }
    const tokens = this.#dialect.tokens(request, offered.get(model)?.contextLength)
    const { pool } = routing
    return {
      ...answerJob(request as Parameters<typeof answerJob>[0], { id: model }, routing),
      tokens,
      data: { type: 'relayed', request, model, pool, promptTokens: tokens.prompt }
    }
  }

  check(data: OwnOrRelayed<Request>): void {
    if (data.type === 'own') this.#endpoint.check(data.data)
    else this.#components.offered.requireOffer({ ...data, endpoint: this.#dialect.endpoint })
  }

  view(job: Job): StreamView {
    const model = ofModelLane(job.lane)?.model
    if (model !== undefined && isRelayed(this.#components, model) && this.#dialect.view !== undefined) {
      return this.#dialect.view(job, this.#dialect.parse(jobBodyOf(job).request), model)
    }
    const view = this.#endpoint.view?.(job)
    if (view === undefined) throw new MeshError('internal', `${this.path} does not stream`)
    return view
  }

  async run(data: OwnOrRelayed<Request>, context: JobContext): Promise<JobAnswer> {
    if (data.type === 'own') return await this.#endpoint.run(data.data, context)
    const { metrics } = this.#components
    const { model } = data
    try {
      const { answer, peerId } = await this.#relay(data, context)
      metrics.generations.inc({ model, outcome: 'stop' })
      metrics.promptTokens.inc({ model }, answer.usage.promptTokens)
      metrics.completionTokens.inc({ model }, answer.usage.completionTokens)
      return { result: { status: 200, headers: headersOf(peerId), body: answer.body }, usage: answer.usage }
    } catch (error) {
      metrics.generations.inc({ model, outcome: MeshError.from(error).code })
      throw error
    }
  }

  async #relay(
    data: Relayed<Request>,
    context: JobContext
  ): Promise<{ readonly answer: RelayedAnswer; readonly peerId: string }> {
    const { request, model, pool, promptTokens } = data
    const { job, signal, log, losses } = context
    const { endpoint } = this.#dialect
    const body = new TextEncoder().encode(JSON.stringify(this.#dialect.passedOn(request)))
    let telling: Telling | undefined
    const { result, peerId } = await relay(
      this.#components,
      this.#init,
      { jobId: job.id, model, endpoint, body, pool },
      {
        signal,
        workClass: job.class,
        losses,
        begin: peerId => {
          telling = request.stream === true ? new Telling(this.#gatherer(), log, peerId) : undefined
          return telling ?? { chunks: undefined, told: false }
        }
      }
    )
    const facts = { job, model, peerId, promptTokens }
    if (telling !== undefined) return { answer: telling.whole(facts), peerId }
    const answer = this.#dialect.whole(parsed(result), request, facts)
    await log.note(BEGUN, { headers: headersOf(peerId) })
    return { answer, peerId }
  }

  #gatherer(): AnswerGatherer {
    const gatherer = this.#dialect.gather?.()
    if (gatherer !== undefined) return gatherer
    throw new MeshError('internal', `${this.path} does not stream`)
  }
}

/** Tells the events of one node's answer to a job's log. */
class Telling {
  readonly chunks = {
    chunkBytesMax: RELAYED_EVENT_BYTES_MAX,
    bytesMax: RELAYED_ANSWER_BYTES_MAX,
    countMax: RELAYED_EVENTS_MAX,
    take: (chunk: Uint8Array): Promise<void> | undefined => this.#take(chunk)
  }
  readonly whole: AnswerGatherer['whole']
  readonly #gatherer: AnswerGatherer
  readonly #log: JobContext['log']
  readonly #peerId: string
  #told = false

  constructor(gatherer: AnswerGatherer, log: JobContext['log'], peerId: string) {
    this.#gatherer = gatherer
    this.#log = log
    this.#peerId = peerId
    this.whole = facts => gatherer.whole(facts)
  }

  get told(): boolean {
    return this.#told
  }

  #take(chunk: Uint8Array): Promise<void> | undefined {
    const entries = this.#gatherer.take(parsed(chunk))
    if (entries.length === 0) return undefined
    const first = this.#told ? undefined : this.#log.note(BEGUN, { headers: headersOf(this.#peerId) })
    this.#told = true
    const behind = [first, ...entries.map(entry => this.#log.add(CHOICE, entry))].filter(wait => wait !== undefined)
    return behind.length === 0 ? undefined : Promise.all(behind).then(() => {})
  }
}

/** Whether a name is that of a server's model, and of nothing that the mesh has, or was to have, itself. */
export function isRelayed(
  { offered, models, aliases }: Pick<RelayComponents, 'offered' | 'models' | 'aliases'>,
  name: string
): boolean {
  return offered.isKnown(name) && !models.has(name) && !models.hasFailed(name) && aliases.get(name) === undefined
}

/** What a route answers with, where it is not the mesh itself that does. */
function described(
  { answers }: ApiRoute,
  { answerSchema, eventSchema }: Pick<RelayDialect<RelayableRequest>, 'answerSchema' | 'eventSchema'>
): ApiAnswer {
  const own = answers[200] ?? {}
  const either = (one: z.ZodType | undefined, other: z.ZodType): z.ZodType =>
    one === undefined ? other : z.union([one, other])
  return {
    ...own,
    ...(answerSchema === undefined ? {} : { json: either(own.json, answerSchema) }),
    ...(eventSchema === undefined ? {} : { events: either(own.events, eventSchema) })
  }
}

function headersOf(peerId: string): Readonly<Record<string, string>> {
  return { 'x-resultity-route': peerId }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw notAnAnswer('JSON')
  }
}
