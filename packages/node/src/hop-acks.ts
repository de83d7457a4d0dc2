import type { Scheduler, Timer } from '@resultity/interface'

/** How often the stage before is told what has come, as long as something comes or is at work. */
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
 * this process stood still. Then one word in a quarter of a second does for all frames, whatever their pace. It is also said
 * while a frame is at work, for others may wait behind it; and while parts of a frame come, which take long on a slow link.
 */
export class HopAcks implements Disposable {
  readonly #init: HopAcksInit
  #position = 0
  #told = 0
  #atWork = false
  /** Bytes have come that it has not been told of. */
  #received = false
  /** It has not been told anything since the pause. */
  #quiet = true
  #over = false
  #timer: Timer | undefined

  constructor(init: HopAcksInit) {
    this.#init = init
  }

  /** A frame came that ends before `position`, and is at work until {@link done}. */
  came(position: number): void {
    this.#position = position
    this.#atWork = true
    this.#begin()
    if (this.#quiet && !this.#over) this.#acknowledge()
  }

  /** Bytes came, perhaps not yet a whole frame. */
  received(): void {
    this.#received = true
    this.#begin()
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
    this.#quiet = true
  }

  #begin(): void {
    if (!this.#over) this.#timer ??= this.#init.scheduler.setInterval(() => this.#look(), ACK_MS)
  }

  #look(): void {
    if (this.#position === this.#told && !this.#atWork && !this.#received) this.#rest()
    else this.#acknowledge()
  }

  #acknowledge(): void {
    this.#quiet = false
    this.#received = false
    this.#told = this.#position
    this.#init.send(this.#position)
  }
}
