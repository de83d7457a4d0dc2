import type { WorkClass } from '@resultity/interface'
import type { BatchGate, InteractiveHold } from './batch-gate.ts'
import type { SessionInit } from './port.ts'
import type { RunQueue } from './run-queue.ts'
import type { InteractivePhase } from './turns.ts'

/** A session's turns in its stage's queue. While it is open and interactive, batch runs make way. */
export class SessionTurns<Step extends object = never> implements Disposable {
  readonly #queue: RunQueue<Step>
  readonly #workClass: WorkClass
  readonly #promptCount: number
  readonly #hold: InteractiveHold | undefined
  #phase: InteractivePhase = 'first-token'

  constructor(queue: RunQueue<Step>, gate: BatchGate, init: SessionInit) {
    this.#queue = queue
    this.#workClass = init.workClass ?? 'interactive'
    this.#promptCount = init.promptCount ?? 0
    if (this.#workClass === 'interactive' && this.#promptCount > 0) this.#hold = gate.hold()
  }

  /** As {@link RunQueue.enter}, for a run that begins at `position`. */
  enter(start: () => void, position: number): void {
    this.#renewAt(position)
    this.#queue.enter(start, this.#workClass)
  }

  /** As {@link RunQueue.enterStep}, for the step of this session at `position`. */
  enterStep(step: Step, position: number): void {
    this.#renewAt(position)
    this.#queue.enterStep(step, this.#workClass)
  }

  withdraw(run: (() => void) | Step): boolean {
    return this.#queue.withdraw(run)
  }

  /** A run is over, and the session goes on. */
  renew(): void {
    this.#hold?.renew(this.#phase)
  }

  /** A run of this session alone is over. */
  leave(): void {
    this.renew()
    this.#queue.leave()
  }

  /** The session is over. Its next step, if there would be one, is `step`. */
  end(step: Step): void {
    this.#queue.forget(step)
    this[Symbol.dispose]()
  }

  /** The session is over. */
  [Symbol.dispose](): void {
    this.#hold?.[Symbol.dispose]()
  }

  #renewAt(position: number): void {
    if (position >= this.#promptCount) this.#phase = 'answering'
    this.#hold?.renew(this.#phase)
  }
}
