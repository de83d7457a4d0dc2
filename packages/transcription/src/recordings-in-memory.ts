import type { AbortOptions } from '@resultity/interface'

interface Waiting {
  readonly seconds: number
  begin(): void
}

/**
 * How much sound is held at once. A second takes 64 kB until its recording is heard, so that a few long recordings would
 * take all memory there is; those that do not fit wait, in order.
 */
export class RecordingsInMemory {
  readonly #secondsMax: number
  #held = 0
  readonly #waiting: Waiting[] = []

  /** @param secondsMax of all recordings; one that is longer by itself is held alone */
  constructor(secondsMax: number) {
    this.#secondsMax = secondsMax
  }

  /**
   * Resolves once a recording may be held. Dispose of it when the recording is let go.
   * @throws the signal's reason
   */
  async hold(seconds: number, { signal }: AbortOptions = {}): Promise<Disposable> {
    signal?.throwIfAborted()
    const counted = Math.min(seconds, this.#secondsMax)
    if (this.#waiting.length > 0 || !this.#fits(counted)) await this.#turn(counted, signal)
    else this.#held += counted
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) this.#held -= counted
        held = false
        this.#next()
      }
    }
  }

  #fits(seconds: number): boolean {
    return this.#held + seconds <= this.#secondsMax
  }

  async #turn(seconds: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting: Waiting = { seconds, begin: resolve }
    const onAbort = (): void => {
      const at = this.#waiting.indexOf(waiting)
      if (at === -1) return
      this.#waiting.splice(at, 1)
      reject(signal?.reason)
      this.#next()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiting.push(waiting)
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#fits(first.seconds); first = this.#waiting[0]) {
      this.#waiting.shift()
      this.#held += first.seconds
      first.begin()
    }
  }
}
