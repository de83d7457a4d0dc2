import type { Scheduler, Timer } from '@resultity/interface'

/** How often the stage before is told what has come, as long as something does or is at work. */
export const ACK_MS = 250

export interface HopAcksInit {
  readonly scheduler: Scheduler
  /** Tells the stage before that everything before `position` has come. */
  send(position: number): void
}

/**
 * Decides when the stage before is told what has come over its hop.
 *
 * The first frame after a pause is acknowledged at once: the stage before may be counting how long it hears nothing, because
 * this process stood still. Then one word in a quarter of a second does for all frames, whatever their pace; and it is said
 * while a frame is at work too, for others may wait behind it.
 */
export class HopAcks implements Disposable {
  readonly #init: HopAcksInit
  #position = 0
  #told = 0
  #atWork = false
  #over = false
  #timer: Timer | undefined

  constructor(init: HopAcksInit) {
    this.#init = init
  }

  /** A frame came that ends before `position`, and is at work until {@link done}. */
  came(position: number): void {
    this.#position = position
    this.#atWork = true
    if (this.#timer !== undefined || this.#over) return
    this.#timer = this.#init.scheduler.setInterval(() => this.#acknowledge(), ACK_MS)
    this.#acknowledge()
  }

  /** Its result has been handed on. */
  done(): void {
    this.#atWork = false
  }

  /** Nothing is told after it. */
  [Symbol.dispose](): void {
    this.#over = true
    this.#rest()
  }

  #rest(): void {
    this.#init.scheduler.clear(this.#timer)
    this.#timer = undefined
  }

  #acknowledge(): void {
    if (this.#position === this.#told && !this.#atWork) {
      this.#rest()
      return
    }
    this.#told = this.#position
    this.#init.send(this.#position)
  }
}
