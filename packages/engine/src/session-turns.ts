import type { WorkClass } from '@resultity/interface'
import type { BatchGate, InteractiveHold } from './batch-gate.ts'
import type { SessionInit } from './port.ts'
import type { RunQueue } from './run-queue.ts'
import type { InteractivePhase } from './turns.ts'

/** A session's turns in its stage's queue. While it is open and interactive, batch runs make way. */
export class SessionTurns implements Disposable {
  readonly #queue: RunQueue
  readonly #workClass: WorkClass
  readonly #promptCount: number
  readonly #hold: InteractiveHold | undefined
  #phase: InteractivePhase = 'first-token'

  constructor(queue: RunQueue, gate: BatchGate, init: SessionInit) {
    this.#queue = queue
    this.#workClass = init.workClass ?? 'interactive'
    this.#promptCount = init.promptCount ?? 0
    if (this.#workClass === 'interactive' && this.#promptCount > 0) this.#hold = gate.hold()
  }

  /** As {@link RunQueue.enter}, for a run that begins at `position`. */
  enter(start: () => void, position: number): void {
    if (position >= this.#promptCount) this.#phase = 'answering'
    this.#hold?.renew(this.#phase)
    this.#queue.enter(start, this.#workClass)
  }

  withdraw(start: () => void): boolean {
    return this.#queue.withdraw(start)
  }

  leave(): void {
    this.#hold?.renew(this.#phase)
    this.#queue.leave()
  }

  /** The session is over. */
  [Symbol.dispose](): void {
    this.#hold?.[Symbol.dispose]()
  }
}
