import { batchPlaces, MeshError, type Scheduler, systemScheduler } from '@resultity/interface'
import { type Job, ofModelLane } from '@resultity/store'
import { type Caller, requireScope } from './keys/caller.ts'
import { requireSubcloud } from './keys/key-subclouds.ts'
import type { KeyVerifier } from './keys/key-verifier.ts'
import type { KeyLimiter, PartialAdmission } from './limits/key-limiter.ts'

/** The weight of a job against the limits of its key. */
export interface JobWeight {
  readonly tokens: number
  /** 0: it only waits for other jobs. */
  readonly places: number
}

export interface JobAdmissionComponents {
  readonly keys: Pick<KeyVerifier, 'holder'>
  readonly limiter: KeyLimiter
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

interface Options {
  readonly signal?: AbortSignal | undefined
}

/** How often a part that waits looks for room by itself: jobs end on other coordinators too. */
const LOOK_AGAIN_MS = 1000

/**
 * Applies the limits of a key to all jobs sent with it, whatever made the job and as long as it waits. A job without a
 * key has no limits.
 */
export class JobAdmission {
  readonly #components: JobAdmissionComponents
  /** By key: parts that wait take turns, so that only one of them asks. */
  readonly #lines = new Map<string, Promise<void>>()
  #ended = Promise.withResolvers<void>()

  constructor(components: JobAdmissionComponents) {
    this.#components = components
  }

  /**
   * A job is about to begin: may its key still have it done?
   * @throws MeshError `unauthenticated`, `permission_denied`, `not_found` for a subcloud that the key may not use
   */
  async check({ keyId, lane }: Pick<Job, 'keyId' | 'lane'>): Promise<void> {
    if (keyId !== null) checkHolder(await this.#components.keys.holder(keyId), ofModelLane(lane)?.subcloud)
  }

  /** Whose job it would be. @throws MeshError as {@link check} does */
  async holder(keyId: string | null): Promise<Caller | undefined> {
    if (keyId === null) return undefined
    const holder = await this.#components.keys.holder(keyId)
    checkHolder(holder, undefined)
    return holder
  }

  /**
   * Runs `submit` for a part of a job once its key has room for its places; its tokens were reserved with the whole
   * job.
   * @throws MeshError the errors of `submit`; the signal's reason; as {@link check} does
   */
  async submitPart<T>(
    { keyId, endpoint, places }: { readonly keyId: string | null; readonly endpoint: string; readonly places: number },
    submit: () => Promise<T>,
    options: Options = {}
  ): Promise<T> {
    if (keyId === null || places === 0) return await submit()
    const before = this.#lines.get(keyId)
    const turn = Promise.withResolvers<void>()
    this.#lines.set(keyId, turn.promise)
    try {
      await before
      const place = await this.#enter(keyId, endpoint, places, options)
      try {
        return await submit()
      } finally {
        place.leave()
      }
    } finally {
      turn.resolve()
      if (this.#lines.get(keyId) === turn.promise) this.#lines.delete(keyId)
    }
  }

  /**
   * The first of some lines of a batch that may become jobs now. Batches leave some of a key's places to interactive
   * requests.
   * @throws MeshError as {@link check} does
   */
  async admitLines(keyId: string | null, endpoint: string, lines: readonly JobWeight[]): Promise<PartialAdmission> {
    const holder = await this.holder(keyId)
    if (holder === undefined) return { count: lines.length, stored: () => {}, refund: async () => {} }
    return await this.#components.limiter.admitFirst(holder, endpoint, lines, batchPlaces)
  }

  /**
   * @throws MeshError for a job that could never be admitted: not retryable, with the code `rate_limited` for clients
   */
  requirePossible(holder: Caller, endpoint: string, weight: JobWeight): void {
    try {
      this.#components.limiter.requirePossible(holder, { endpoint, ...weight })
    } catch (cause) {
      const { message, hint } = MeshError.from(cause)
      throw new MeshError('invalid_request', message, { hint, details: { reason: 'rate_limited' }, cause })
    }
  }

  /** Settles the reservation of a job that has ended here, and admits waiting requests. */
  async jobEnded({
    id,
    usage,
    state,
    startedAtMs
  }: Pick<Job, 'id' | 'usage' | 'state' | 'startedAtMs'>): Promise<void> {
    this.#ended.resolve()
    this.#ended = Promise.withResolvers()
    // who hangs up before the last token has had the others
    if (state === 'cancelled' && startedAtMs !== null) this.#components.limiter.forfeit(id)
    else await this.#components.limiter.settle(id, usage)
  }

  async #enter(keyId: string, endpoint: string, places: number, { signal }: Options) {
    for (;;) {
      signal?.throwIfAborted()
      const ended = this.#ended.promise
      const holder = await this.holder(keyId)
      if (holder === undefined) throw new MeshError('internal', 'a key has no holder')
      this.requirePossible(holder, endpoint, { tokens: 0, places })
      try {
        return await this.#components.limiter.enter(holder, endpoint, places)
      } catch (error) {
        if (MeshError.from(error).code !== 'rate_limited') throw error
      }
      await this.#sooner(ended, signal)
    }
  }

  /** Until something ended, or some time has passed; at once when aborted. */
  async #sooner(ended: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const { scheduler = systemScheduler } = this.#components
    const waiting = new AbortController()
    const either = signal === undefined ? waiting.signal : AbortSignal.any([signal, waiting.signal])
    await Promise.race([ended, scheduler.sleep(LOOK_AGAIN_MS, { signal: either }).catch(() => {})])
    waiting.abort()
  }
}

function checkHolder(holder: Caller, subcloud: string | undefined): void {
  requireScope(holder, 'inference')
  if (subcloud !== undefined) requireSubcloud(holder, subcloud)
}
