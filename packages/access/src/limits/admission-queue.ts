/** The weight of a request that waits to become a job. */
export interface QueueEntry {
  readonly endpoint: string
  /** Places that it may take; 0 for one that only waits for others. */
  readonly places: number
}

/** A request on its way to become a job. */
export interface QueuePlace {
  /** Tickets of the same key, and of this endpoint where one is named, that came before and are still on their way. */
  ahead(endpoint?: string): readonly QueueEntry[]
  /** As {@link ahead}, including later requests. */
  others(endpoint?: string): readonly QueueEntry[]
  /** Sets the number of places that it counts with from now on. */
  take(places: number): void
  /** Arrived or turned back. */
  leave(): void
}

/** Requests of each key that are admitted and not yet stored: a count of stored jobs alone would let a rush in. */
export class AdmissionQueue {
  readonly #queues = new Map<string, Set<QueueEntry>>()

  queue(keyId: string, entry: QueueEntry): QueuePlace {
    const own = { ...entry }
    const of = (only: string | undefined) => (other: QueueEntry) => only === undefined || other.endpoint === only
    const queue = this.#queues.get(keyId) ?? new Set()
    this.#queues.set(keyId, queue.add(own))
    return {
      ahead: only => {
        const all = [...queue]
        return all.slice(0, all.indexOf(own)).filter(of(only))
      },
      others: only => [...queue].filter(other => other !== own).filter(of(only)),
      take: places => {
        own.places = places
      },
      leave: () => {
        queue.delete(own)
        if (queue.size === 0 && this.#queues.get(keyId) === queue) this.#queues.delete(keyId)
      }
    }
  }
}
