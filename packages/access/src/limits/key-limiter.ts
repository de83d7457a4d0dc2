import { type Clock, MeshError } from '@resultity/interface'
import type { JobUsage, OpenJobs, WindowCounters } from '@resultity/store'
import type { Caller } from '../keys/caller.ts'
import type { QueuePlace } from './admission-queue.ts'
import { Concurrency, requirePossibleIn } from './concurrency.ts'
import { type KeyLimits, type LimitScope, limitsAt, requestWindow, tokenWindow, type Window } from './key-limits.ts'
import { type LimitKind, type LimitState, limitHeaders, nearestLimit } from './limit-headers.ts'
import { Reservations } from './reservations.ts'

export interface KeyLimiterComponents {
  readonly counters: WindowCounters
  readonly openJobs: Pick<OpenJobs, 'count'>
  /** The one that the counters were made with. */
  readonly clock: Clock
}

/** A request to reserve from the limits of a key. */
export interface AdmissionRequest {
  /** Path of the API, as in the key's limits. */
  readonly endpoint: string
  /** The most it may take: the prompt's tokens and the longest answer's. */
  readonly tokens: number
  /** How many jobs of one answer it counts with: choices that are made at once. 0: it only waits for other jobs. Default 1. */
  readonly places?: number
}

/** A request that may become a job. It ends with exactly one of the two. */
export interface Admission {
  /** How far the limits on tokens are used now, as headers of the answer. */
  readonly headers: Readonly<Record<string, string>>
  /** The request is stored as this job: its usage is settled when the job ends. */
  stored(jobId: string): void
  /** No job came of it: gives the reservation back. */
  refund(): Promise<void>
}

/** The first of several waiting requests that may become jobs now. Exactly one of the two methods ends it. */
export interface PartialAdmission {
  /** How many; 0 when all have to wait. */
  readonly count: number
  /** They are stored as these jobs, in this order. */
  stored(jobIds: readonly string[]): void
  refund(): Promise<void>
}

/** Result of storing a job; `created` is false when it was stored before. */
export interface Submitted {
  readonly job: { readonly id: string }
  readonly created: boolean
}

/** Stores an admitted job, or gives its reservation back. */
export async function submitAdmitted<T extends Submitted>(admission: Admission, submit: () => Promise<T>): Promise<T> {
  let submitted: T
  try {
    submitted = await submit()
  } catch (error) {
    await admission.refund()
    throw error
  }
  if (submitted.created) admission.stored(submitted.job.id)
  else await admission.refund()
  return submitted
}

const UNLIMITED: Admission = { headers: {}, stored: () => {}, refund: async () => {} }

interface Counted {
  readonly name: string
  readonly window: Window
  readonly state: LimitState
}

/** Applies the limits of keys. A key without limits costs nothing. */
export class KeyLimiter {
  readonly #components: KeyLimiterComponents
  readonly #reservations: Reservations<Counted>
  readonly #concurrency: Concurrency

  constructor(components: KeyLimiterComponents) {
    this.#components = components
    this.#reservations = new Reservations(components.clock)
    this.#concurrency = new Concurrency(components.openJobs)
  }

  /**
   * Counts one request of any kind.
   *
   * @returns the headers of its answer
   * @throws MeshError `rate_limited`; a refused request is not counted
   */
  async request({ keyId, limits }: Caller, endpoint: string): Promise<Readonly<Record<string, string>>> {
    const scopes = scopesOf(keyId, limits, endpoint)
    if (scopes.length === 0) return {}
    const counted = await this.#count('requests', scopes, requestWindow, 1)
    const tokens = await this.#readTokens(scopes)
    const now = this.#components.clock.now()
    return { ...headersOf('requests', counted, now), ...limitHeaders('tokens', tokens, now) }
  }

  /**
   * Lets a request in that will be a job: one more of the key's concurrent jobs, its tokens reserved.
   *
   * @throws MeshError `rate_limited`, and then nothing is reserved
   */
  async admit({ keyId, limits }: Caller, { endpoint, tokens, places = 1 }: AdmissionRequest): Promise<Admission> {
    const scopes = scopesOf(keyId, limits, endpoint)
    if (scopes.length === 0) return UNLIMITED
    const place = await this.#concurrency.enter(keyId ?? '', scopes, { endpoint, places })
    try {
      const counted = await this.#count('tokens', scopes, tokenWindow, tokens)
      return {
        headers: headersOf('tokens', counted, this.#components.clock.now()),
        stored: jobId => {
          place.leave()
          this.#reservations.keep(jobId, { tokens, counted })
        },
        refund: async () => {
          place.leave()
          await this.#adjust(counted, -tokens)
        }
      }
    } catch (error) {
      place.leave()
      throw error
    }
  }

  /**
   * Lets in as many of several requests to one endpoint, in their order, as may be jobs now.
   *
   * @param share how much of a limit on concurrent jobs they may take
   */
  async admitFirst(
    { keyId, limits }: Caller,
    endpoint: string,
    requests: readonly Required<Pick<AdmissionRequest, 'tokens' | 'places'>>[],
    share: (max: number) => number
  ): Promise<PartialAdmission> {
    const scopes = scopesOf(keyId, limits, endpoint)
    const left = (await this.#readTokens(scopes)).map(({ window, used }) => window.points - used)
    let first: typeof requests = []
    const choose = (free: number): number => {
      first = fitting(requests, free, Math.min(...left, Number.POSITIVE_INFINITY))
      return first.reduce((sum, { places }) => sum + places, 0)
    }
    const place = await this.#concurrency.enterSome(keyId ?? '', scopes, endpoint, { share, choose })
    const tokens = first.reduce((sum, one) => sum + one.tokens, 0)
    try {
      const counted = first.length === 0 ? [] : await this.#count('tokens', scopes, tokenWindow, tokens)
      return {
        count: first.length,
        stored: jobIds => {
          place.leave()
          for (const [index, one] of first.entries()) {
            const jobId = jobIds[index]
            if (jobId !== undefined) this.#reservations.keep(jobId, { tokens: one.tokens, counted })
          }
        },
        refund: async () => {
          place.leave()
          await this.#adjust(counted, -tokens)
        }
      }
    } catch (error) {
      place.leave()
      // another request was faster
      if (MeshError.from(error).code === 'rate_limited') return { count: 0, stored: () => {}, refund: async () => {} }
      throw error
    }
  }

  /**
   * Lets a part of a job in, whose tokens were reserved with the whole.
   * @throws MeshError `rate_limited` when the key has as many jobs as it may
   */
  async enter({ keyId, limits }: Caller, endpoint: string, places: number): Promise<QueuePlace> {
    return await this.#concurrency.enter(keyId ?? '', scopesOf(keyId, limits, endpoint), { endpoint, places })
  }

  /** @throws MeshError `rate_limited` for a job that would not fit even alone */
  requirePossible({ keyId, limits }: Caller, { endpoint, tokens, places = 1 }: AdmissionRequest): void {
    const scopes = scopesOf(keyId, limits, endpoint)
    requirePossibleIn(keyId ?? '', scopes, { endpoint, places })
    for (const { rates } of scopes) {
      const window = tokenWindow(rates)
      if (window !== undefined && tokens > window.points) throw tooManyTokens(window, tokens)
    }
  }

  /** Keeps the reservation of a job that has ended: its client cancelled it, and its usage is unknown. */
  forfeit(jobId: string): void {
    this.#reservations.take(jobId)
  }

  /**
   * Settles a job that has ended, here or elsewhere: its usage replaces its reservation. A job without usage counts as
   * zero. Does nothing for a job without a reservation, or when called again.
   */
  async settle(jobId: string, usage: JobUsage | null): Promise<void> {
    const reservation = this.#reservations.take(jobId)
    if (reservation === undefined) return
    const used = usage === null ? 0 : usage.promptTokens + usage.completionTokens
    await this.#adjust(reservation.counted, used - reservation.tokens)
  }

  /** Adds to all windows, or to none. */
  async #count(
    kind: LimitKind,
    scopes: readonly LimitScope[],
    windowOf: (rates: LimitScope['rates']) => Window | undefined,
    points: number
  ): Promise<readonly Counted[]> {
    const windows = scopes.flatMap(({ name, rates }) => {
      const window = windowOf(rates)
      return window === undefined ? [] : [{ name: `${kind} ${name}`, window }]
    })
    const counted = await Promise.all(
      windows.map(async ({ name, window }) => {
        const reading = await this.#components.counters.add(name, points, window.ms)
        return { name, window, state: { window, ...reading } }
      })
    )
    const broken = counted.filter(({ window, state }) => state.used > window.points)
    if (broken.length === 0) return counted
    await this.#adjust(counted, -points)
    throw this.#refusal(kind, counted, broken, points)
  }

  /** Changes only windows that are not over; a window that is over has forgotten its reservations. */
  async #adjust(counted: readonly Counted[], points: number): Promise<void> {
    if (points === 0) return
    const now = this.#components.clock.now()
    const running = counted.filter(({ state }) => now < state.endsAtMs)
    await Promise.all(running.map(({ name, window }) => this.#components.counters.add(name, points, window.ms)))
  }

  async #readTokens(scopes: readonly LimitScope[]): Promise<LimitState[]> {
    const states = scopes.map(async ({ name, rates }) => {
      const window = tokenWindow(rates)
      if (window === undefined) return []
      const reading = await this.#components.counters.read(`tokens ${name}`)
      return [{ window, ...(reading ?? { used: 0, endsAtMs: 0 }) }]
    })
    return (await Promise.all(states)).flat()
  }

  #refusal(kind: LimitKind, counted: readonly Counted[], broken: readonly Counted[], points: number): MeshError {
    const now = this.#components.clock.now()
    const waitMs = Math.max(...broken.map(({ state }) => state.endsAtMs - now))
    const [{ window } = { window: { points: 0, ms: 0 } }] = broken
    const limit = `${window.points} ${kind} in ${formatSeconds(window.ms)}`
    const impossible = broken.find(one => points > one.window.points)
    if (impossible !== undefined && kind === 'tokens') throw tooManyTokens(impossible.window, points)
    const before = counted.map(({ state }) => ({ ...state, used: state.used - points }))
    return new MeshError('rate_limited', `this key may send no more for now: its limit is ${limit}`, {
      hint: 'Wait as "retry-after" says.',
      details: { retryAfterMs: waitMs, rateLimit: nearestLimit(kind, before, now) }
    })
  }
}

function scopesOf(keyId: string | null, limits: KeyLimits, endpoint: string): LimitScope[] {
  return keyId === null ? [] : limitsAt(keyId, limits, endpoint)
}

function headersOf(kind: LimitKind, counted: readonly Counted[], nowMs: number): Record<string, string> {
  return limitHeaders(
    kind,
    counted.map(({ state }) => state),
    nowMs
  )
}

function tooManyTokens(window: Window, tokens: number): MeshError {
  const limit = `${window.points} tokens in ${formatSeconds(window.ms)}`
  return new MeshError('rate_limited', `this request may take ${tokens} tokens, and this key may take ${limit}`, {
    hint: 'Ask for a shorter answer (max_tokens), or shorten the prompt.',
    details: { retryAfterMs: null }
  })
}

/** The first of these that fit into the remaining limit. Pure. */
function fitting<T extends { readonly tokens: number; readonly places: number }>(
  requests: readonly T[],
  free: number,
  tokensLeft: number
): readonly T[] {
  let places = 0
  let tokens = 0
  const over = requests.findIndex(one => {
    places += one.places
    tokens += one.tokens
    return places > free || tokens > tokensLeft
  })
  return over === -1 ? requests : requests.slice(0, over)
}

function formatSeconds(ms: number): string {
  return ms === 1000 ? 'a second' : ms === 60_000 ? 'a minute' : `${ms / 1000} seconds`
}
