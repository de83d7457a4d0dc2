/** A request on its way to become a job. */
export interface Pass {
  /** Those of the same key, and of this endpoint where one is named, that came before and are still on their way. */
  ahead(endpoint?: string): number
  /** Arrived or turned back. */
  leave(): void
}

interface Ticket {
  readonly endpoint: string
}

/** Requests of each key that are admitted and not yet stored: a count of stored jobs alone would let a rush in. */
export class Turnstile {
  readonly #queues = new Map<string, Set<Ticket>>()

  queue(keyId: string, endpoint: string): Pass {
    const queue = this.#queues.get(keyId) ?? new Set()
    const ticket: Ticket = { endpoint }
    this.#queues.set(keyId, queue.add(ticket))
    return {
      ahead: only => {
        let count = 0
        for (const other of queue) {
          if (other === ticket) break
          if (only === undefined || other.endpoint === only) count += 1
        }
        return count
      },
      leave: () => {
        queue.delete(ticket)
        if (queue.size === 0 && this.#queues.get(keyId) === queue) this.#queues.delete(keyId)
      }
    }
  }
}
