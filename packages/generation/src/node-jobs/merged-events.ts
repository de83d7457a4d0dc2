interface Waiting<T> {
  readonly event: T
  taken(): void
}

/**
 * Events of many who work at once, for one who reads them in the order in which they came. Whoever tells one can wait until it is
 * read, so that no more lie here than there are who tell them.
 */
export class MergedEvents<T> {
  readonly #waiting: Waiting<T>[] = []
  #ended = false
  #wake: (() => void) | undefined

  /** Resolves once it is read, or nobody reads any more. */
  tell(event: T): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (this.#ended) resolve()
    else this.#waiting.push({ event, taken: resolve })
    this.#wake?.()
    return promise
  }

  /** Nothing more is told: reading ends behind what is left. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  /** Leaving the loop releases all who wait. Read it once. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    try {
      for (;;) {
        const next = this.#waiting.shift()
        if (next !== undefined) {
          next.taken()
          yield next.event
        } else if (this.#ended) {
          return
        } else {
          const { promise, resolve } = Promise.withResolvers<void>()
          this.#wake = resolve
          await promise
        }
      }
    } finally {
      this.#ended = true
      for (const { taken } of this.#waiting.splice(0)) taken()
    }
  }
}
