import type { Scheduler, Timer } from '@resultity/interface'

/** How often the previous stage gets an acknowledgement, as long as bytes come or a frame is at work. */
export const ACK_MS = 250

export interface HopAcksInit {
  readonly scheduler: Scheduler
  /** Tells the previous stage that everything before `position` has come. */
  send(position: number): void
}

/**
 * Decides when the previous stage gets an acknowledgement of what came over its hop.
 *
 * The first frame after a pause is acknowledged at once: the previous stage may be counting how long it hears nothing, because
 * this process stood still. After that, one acknowledgement in a quarter of a second serves for all frames. It is also sent
 * while a frame is at work, because others may wait after it; and while parts of a frame come, because a large frame takes
 * long on a slow link.
 */
export class HopAcks implements Disposable {
  readonly #init: HopAcksInit
  #position = 0
  #told = 0
  #atWork = false
  /** Bytes have come since the last acknowledgement. */
  #received = false
  /** Nothing was acknowledged since the last pause. */
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

  /** The result of the frame was handed on. */
  done(): void {
    this.#atWork = false
  }

  /** Nothing is sent after it. */
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
