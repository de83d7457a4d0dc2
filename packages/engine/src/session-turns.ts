import type { WorkClass } from '@resultity/interface'
import type { BatchGate, FirstTokenHold } from './batch-gate.ts'
import type { SessionInit } from './port.ts'
import type { RunQueue } from './run-queue.ts'

/** A session's turns in its stage's queue. While it is on its way to its first token, batch runs wait. */
export class SessionTurns implements Disposable {
  readonly #queue: RunQueue
  readonly #workClass: WorkClass
  readonly #promptCount: number
  #hold: FirstTokenHold | undefined

  constructor(queue: RunQueue, gate: BatchGate, init: SessionInit) {
    this.#queue = queue
    this.#workClass = init.workClass ?? 'interactive'
    this.#promptCount = init.promptCount ?? 0
    if (this.#workClass === 'interactive' && this.#promptCount > 0) this.#hold = gate.hold()
  }

  /** As {@link RunQueue.enter}, for a run that begins at `position`. */
  enter(start: () => void, position: number): void {
    this.#queue.enter(start, this.#workClass)
    if (this.#hold === undefined) return
    if (position < this.#promptCount) this.#hold.renew()
    else this[Symbol.dispose]()
  }

  withdraw(start: () => void): boolean {
    return this.#queue.withdraw(start)
  }

  leave(): void {
    this.#hold?.renew()
    this.#queue.leave()
  }

  /** The session is over, or has its first token. */
  [Symbol.dispose](): void {
    this.#hold?.[Symbol.dispose]()
    this.#hold = undefined
  }
}
