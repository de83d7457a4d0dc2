import {
  type AbortOptions,
  MeshError,
  type OfferedModel,
  RELAYED_ANSWER_BYTES_MAX,
  RELAYED_ENDPOINTS,
  RELAYED_EVENT_BYTES_MAX,
  type Scheduler,
  systemScheduler
} from '@resultity/interface'
import { advertised } from './model-list.ts'
import { upstreamAddresses } from './upstream-address.ts'
import { UpstreamClient } from './upstream-client.ts'
import type { UpstreamLimits } from './upstream-limits.ts'
import { type UpstreamLog, UpstreamServer } from './upstream-server.ts'

export interface UpstreamsInit {
  /** URLs of servers, and `auto` for those that are usual on this machine. */
  readonly targets: readonly string[]
  /** Names of the models that are offered. Default: all. */
  readonly models?: readonly string[] | undefined
  /** Shown to the servers that are named, and to no other. */
  readonly key?: string | undefined
  /** Requests passed on at once for each model. Default {@link UPSTREAM_JOBS_MAX}. */
  readonly jobsMax?: number | undefined
  readonly logger: UpstreamLog
  readonly limits?: Partial<UpstreamLimits>
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/** A request as a coordinator sends it. */
export interface RelayRequest {
  /** Of `RELAYED_ENDPOINTS`. */
  readonly endpoint: string
  readonly model: string
  /** UTF-8 JSON of an object. */
  readonly body: Uint8Array
}

export interface RelayOptions extends AbortOptions {
  /** Takes an event of a streamed answer, UTF-8 JSON; the next one is read once the promise resolves. */
  onEvent(event: Uint8Array): Promise<void>
}

/** A request that has its place. */
export interface RelayWork extends Disposable {
  /** @returns the answer, UTF-8 JSON; of a streamed one nothing. @throws MeshError as {@link UpstreamClient.ask} does */
  run(options: RelayOptions): Promise<Uint8Array>
}

/** Servers have queues of their own; more than a few at once would only wait there. */
export const UPSTREAM_JOBS_MAX = 8

const DEFAULT_UPSTREAM_LIMITS: UpstreamLimits = {
  lookEveryMs: 5000,
  lookMs: 5000,
  missesMax: 3,
  silenceMs: 120_000,
  listBytesMax: 4 * 1024 * 1024,
  answerBytesMax: RELAYED_ANSWER_BYTES_MAX,
  eventBytesMax: RELAYED_EVENT_BYTES_MAX
}

/** The API's version, where {@link UpstreamClient} has it in its address. */
const VERSION = '/v1'

/** The servers beside a node: what they offer together, and the requests that are passed on to them. */
export class Upstreams {
  readonly #init: UpstreamsInit
  readonly #servers: readonly UpstreamServer[]
  readonly #closing = new AbortController()
  readonly #listeners = new Set<() => void>()
  readonly #running = new Map<string, number>()
  #watching: Promise<unknown> = Promise.resolve()

  /** @throws MeshError `settings_invalid` */
  constructor(init: UpstreamsInit) {
    this.#init = init
    const { logger, key, scheduler = systemScheduler } = init
    const limits = { ...DEFAULT_UPSTREAM_LIMITS, ...init.limits }
    this.#servers = upstreamAddresses(init.targets).map(({ base, named }) => {
      const client = new UpstreamClient({ base, key: named ? key : undefined, limits, scheduler })
      const onChange = (): void => {
        for (const listener of this.#listeners) listener()
      }
      const offering = { wanted: init.models, jobsMax: this.#jobsMax }
      return new UpstreamServer({ base, named, client, limits, scheduler, logger, onChange, ...offering })
    })
  }

  /** Resolves once every server was looked at; they are looked at again until the close. */
  async start(): Promise<void> {
    const { signal } = this.#closing
    await Promise.all(this.#servers.map(server => server.look({ signal })))
    this.#watching = Promise.all(this.#servers.map(server => server.watch(signal)))
  }

  /** Requests being passed on. */
  get running(): number {
    return [...this.#running.values()].reduce((sum, count) => sum + count, 0)
  }

  /** What the servers offer now, as an advert says it. Where two have a model, the one named first. */
  offered(): readonly OfferedModel[] {
    const byName = new Map<string, OfferedModel>()
    for (const { models } of this.#servers) {
      for (const model of models) if (!byName.has(model.name)) byName.set(model.name, model)
    }
    return advertised([...byName.values()])
  }

  /** @returns stops listening */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Takes a place for a request and reads its body, all at once.
   * @throws MeshError `not_implemented`, `unavailable`, `resource_exhausted`, `protocol_violation`
   */
  take({ endpoint, model, body }: RelayRequest): RelayWork {
    if (!RELAYED_ENDPOINTS.includes(endpoint)) {
      throw new MeshError('not_implemented', `this node passes nothing on for ${endpoint.slice(0, 64)}`, {
        hint: `It does for ${RELAYED_ENDPOINTS.join(', ')}.`
      })
    }
    const server = this.#servers.find(one => one.models.some(({ name }) => name === model))
    if (server === undefined) {
      throw new MeshError('unavailable', 'no server beside this node has the model now', {
        hint: 'Another node may.'
      })
    }
    const request = { ...requestOf(body), model }
    const running = this.#running.get(model) ?? 0
    if (running >= this.#jobsMax) {
      throw new MeshError('resource_exhausted', `this node passes ${running} requests on for the model already`, {
        hint: 'Try again in a moment.'
      })
    }
    this.#running.set(model, running + 1)
    return {
      run: async options => {
        try {
          return await server.client.ask(endpoint.slice(VERSION.length), request, options)
        } catch (error) {
          if (error instanceof MeshError && error.code === 'upstream_failed') server.doubt()
          throw error
        }
      },
      [Symbol.dispose]: () => this.#leave(model)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new MeshError('canceled', 'the node is shutting down'))
    await this.#watching
  }

  get #jobsMax(): number {
    return this.#init.jobsMax ?? UPSTREAM_JOBS_MAX
  }

  #leave(model: string): void {
    const left = (this.#running.get(model) ?? 1) - 1
    if (left === 0) this.#running.delete(model)
    else this.#running.set(model, left)
  }
}

/** @throws MeshError `protocol_violation` */
function requestOf(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const request: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    if (typeof request === 'object' && request !== null && !Array.isArray(request)) return { ...request }
  } catch {
    // told below
  }
  throw new MeshError('protocol_violation', 'the body of a request to pass on is no JSON object', {
    hint: 'The coordinator is faulty or runs another release; compare the versions on both sides.'
  })
}
