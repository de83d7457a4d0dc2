/** Bytes that may be taken up, and are given back. */
export interface ByteBudget {
  /** @returns false, and takes nothing, where that would be too much */
  take(bytes: number): boolean
  give(bytes: number): void
}

/**
 * Memory that partly received frames may take, for each peer over all of its streams: a peer that sends halves of
 * frames holds that much at most.
 */
export class ReceiveBudgets {
  readonly #bytesMax: (peerId: string) => number
  readonly #used = new Map<string, number>()

  /** @param bytesMax how much a peer may take up, asked each time */
  constructor(bytesMax: (peerId: string) => number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes that a peer takes up now. */
  used(peerId: string): number {
    return this.#used.get(peerId) ?? 0
  }

  /** The budget that one stream of `peerId` takes from and gives back to. */
  of(peerId: string): ByteBudget {
    return {
      take: bytes => {
        const used = this.used(peerId) + bytes
        if (used > this.#bytesMax(peerId)) return false
        this.#used.set(peerId, used)
        return true
      },
      give: bytes => {
        const left = this.used(peerId) - bytes
        if (left > 0) this.#used.set(peerId, left)
        else this.#used.delete(peerId)
      }
    }
  }
}
