import { type AbortOptions, MeshError, type OfferedModel, type Scheduler } from '@resultity/interface'
import { modelsOf, type Offering } from './model-list.ts'
import type { UpstreamClient } from './upstream-client.ts'
import { mayPass } from './upstream-errors.ts'
import type { UpstreamLimits } from './upstream-limits.ts'

/** Writes what changes of a server into a log. */
export interface UpstreamLog {
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
}

export interface UpstreamServerInit extends Offering {
  readonly base: string
  /** False: nobody misses it. */
  readonly named: boolean
  readonly client: UpstreamClient
  readonly limits: UpstreamLimits
  readonly scheduler: Scheduler
  readonly logger: UpstreamLog
  onChange(): void
}

/** One server beside the node: what it offers now, by looking again and again. */
export class UpstreamServer {
  readonly #init: UpstreamServerInit
  #models: readonly OfferedModel[] = []
  #misses = 0
  /** What the log says of it. */
  #told = ''
  #news = Promise.withResolvers<void>()

  constructor(init: UpstreamServerInit) {
    this.#init = init
  }

  get client(): UpstreamClient {
    return this.#init.client
  }

  /** What it offers; nothing while it does not answer. */
  get models(): readonly OfferedModel[] {
    return this.#models
  }

  /** A request failed there: it is looked at soon. */
  doubt(): void {
    this.#news.resolve()
  }

  /** Looks again and again until the signal aborts. Never rejects. */
  async watch(signal: AbortSignal): Promise<void> {
    const { limits, scheduler } = this.#init
    while (!signal.aborted) {
      const rest = new AbortController()
      const wait = scheduler.sleep(limits.lookEveryMs, { signal: AbortSignal.any([signal, rest.signal]) })
      await Promise.race([wait.catch(() => {}), this.#news.promise])
      rest.abort()
      this.#news = Promise.withResolvers()
      await this.look({ signal })
    }
  }

  /** One look. Never rejects. */
  async look({ signal }: AbortOptions = {}): Promise<void> {
    const { client, base, wanted, jobsMax, limits } = this.#init
    try {
      const models = modelsOf(await client.models(signal === undefined ? {} : { signal }), { wanted, jobsMax })
      if (models === undefined) throw new MeshError('upstream_failed', 'its /models is no list of models')
      this.#misses = 0
      this.#take(models, `serves ${models.length} models that this node offers`)
    } catch (error) {
      if (signal?.aborted === true) return
      const known = MeshError.from(error)
      this.#misses = mayPass(known) ? this.#misses + 1 : limits.missesMax
      if (this.#misses >= limits.missesMax) this.#take([], `${base} is not used: ${known.message}`, known)
    }
  }

  #take(models: readonly OfferedModel[], told: string, error?: MeshError): void {
    const { base, named, logger, onChange } = this.#init
    const changed = JSON.stringify(models) !== JSON.stringify(this.#models)
    this.#models = models
    if (told !== this.#told && (named || this.#told !== '' || error === undefined)) {
      this.#told = told
      if (error === undefined)
        logger.info({ upstream: base, models: models.map(({ name }) => name) }, `a server ${told}`)
      else logger.warn({ upstream: base, err: error }, `the server ${told}`)
    }
    if (changed) onChange()
  }
}
