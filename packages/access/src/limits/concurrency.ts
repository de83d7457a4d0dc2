import { MeshError } from '@resultity/interface'
import type { OpenJobs } from '@resultity/store'
import { AdmissionQueue, type QueueEntry, type QueuePlace } from './admission-queue.ts'
import type { LimitScope } from './key-limits.ts'

/** When a client with too many jobs should try again; no one knows when one of them ends. */
const RETRY_MS = 1000

/** How many jobs each key has at once: those stored anywhere, and those on their way here. */
export class Concurrency {
  readonly #openJobs: Pick<OpenJobs, 'count'>
  readonly #admissionQueue = new AdmissionQueue()

  constructor(openJobs: Pick<OpenJobs, 'count'>) {
    this.#openJobs = openJobs
  }

  /**
   * Lets one more in; it counts as on its way until its pass is left.
   * @throws MeshError `rate_limited`
   */
  async enter(keyId: string, scopes: readonly LimitScope[], entry: QueueEntry): Promise<QueuePlace> {
    const place = this.#admissionQueue.queue(keyId, entry)
    try {
      for (const { max, only } of maximaOf(keyId, scopes, entry.endpoint)) {
        requirePossible(max, entry, only)
        const ahead = place.ahead(only)
        const open = await this.#openJobs.count(keyId, only)
        const places = open.places + sum(ahead)
        const waiting = open.waiting + ahead.filter(other => other.places === 0).length
        if (entry.places === 0 ? waiting + 1 > max : places + entry.places > max) throw tooMany(max, only)
      }
      return place
    } catch (error) {
      place.leave()
      throw error
    }
  }

  /**
   * Admits as many of several waiting jobs as there is room for.
   *
   * @param share how many places of a limit they may take
   * @param choose how many of the free places they take: infinity where there is no limit
   */
  async enterSome(
    keyId: string,
    scopes: readonly LimitScope[],
    endpoint: string,
    { share, choose }: { share(max: number): number; choose(free: number): number }
  ): Promise<QueuePlace> {
    const place = this.#admissionQueue.queue(keyId, { endpoint, places: 0 })
    try {
      let free = Number.POSITIVE_INFINITY
      for (const { max, only } of maximaOf(keyId, scopes, endpoint)) {
        const ahead = place.ahead(only)
        const open = await this.#openJobs.count(keyId, only)
        const onTheirWay = sum([...new Set([...ahead, ...place.others(only)])])
        free = Math.min(free, share(max) - open.places - onTheirWay)
      }
      place.take(choose(Math.max(0, free)))
      return place
    } catch (error) {
      place.leave()
      throw error
    }
  }
}

/** @throws MeshError `rate_limited` for a job that would not fit even alone */
export function requirePossibleIn(keyId: string, scopes: readonly LimitScope[], entry: QueueEntry): void {
  for (const { max, only } of maximaOf(keyId, scopes, entry.endpoint)) requirePossible(max, entry, only)
}

function maximaOf(keyId: string, scopes: readonly LimitScope[], endpoint: string) {
  return scopes.flatMap(({ name, rates: { concurrent_jobs: max } }) =>
    max === undefined ? [] : [{ max, only: name === keyId ? undefined : endpoint }]
  )
}

function sum(entries: readonly QueueEntry[]): number {
  return entries.reduce((total, { places }) => total + places, 0)
}

function requirePossible(max: number, { places }: QueueEntry, only: string | undefined): void {
  if (places <= max) return
  throw new MeshError('rate_limited', `this request takes ${places} places${at(only)}, and this key may ${max}`, {
    hint: 'Ask for fewer choices at once (n).',
    details: { retryAfterMs: null }
  })
}

function tooMany(max: number, only: string | undefined): MeshError {
  return new MeshError('rate_limited', `this key has ${max} requests queued or running${at(only)}, its limit`, {
    hint: 'Wait until one of them has ended, or cancel one.',
    details: { retryAfterMs: RETRY_MS }
  })
}

function at(endpoint: string | undefined): string {
  return endpoint === undefined ? '' : ` at ${endpoint}`
}
