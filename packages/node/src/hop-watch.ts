import { MeshError, type Scheduler, type Timer } from '@resultity/interface'

/** How often this looks whether the next stage was heard. That stage acknowledges as often. */
const LOOK_MS = 250

/**
 * After this many looks without an acknowledgement the coordinator is told. At least three whole intervals have passed
 * then, so a round trip of half a second does no harm.
 */
const SILENT_LOOKS = 4

/** The same while the next stage is being dialled, which takes several round trips. */
const DIAL_LOOKS = 13

export interface HopWatchInit {
  readonly scheduler: Scheduler
  /** The next stage was not heard for this long. Called again at each look until it is heard. */
  onSilent(silentMs: number): void
}

/**
 * Counts how long the next stage is silent while frames wait for its acknowledgement.
 *
 * It counts looks, not time: a process that stood still has not yet read the frames that came meanwhile, and would take that
 * for silence.
 */
export class HopWatch implements Disposable {
  readonly #init: HopWatchInit
  #connected = false
  #sent = 0
  #acknowledged = 0
  #looks = 0
  #heardMs = 0
  #over = false
  #timer: Timer | undefined

  constructor(init: HopWatchInit) {
    this.#init = init
  }

  /** The next stage is being dialled. */
  dial(): void {
    this.#begin()
  }

  connected(): void {
    this.#connected = true
    this.#looks = 0
  }

  /** A frame that ends before `position` was sent. */
  sent(position: number): void {
    const waits = this.#acknowledged < this.#sent
    this.#sent = position
    if (!waits) this.#begin()
  }

  /** @throws MeshError `protocol_violation` when so much was not sent */
  acknowledged(position: number): void {
    if (position > this.#sent) {
      throw new MeshError('protocol_violation', `position ${position} was acknowledged, ${this.#sent} was not sent yet`)
    }
    this.#acknowledged = Math.max(this.#acknowledged, position)
    this.#heard()
  }

  /** `onSilent` is not called after it. */
  [Symbol.dispose](): void {
    this.#over = true
    this.#rest()
  }

  #rest(): void {
    this.#init.scheduler.clear(this.#timer)
    this.#timer = undefined
  }

  #begin(): void {
    this.#heard()
    if (!this.#over) this.#timer ??= this.#init.scheduler.setInterval(() => this.#look(), LOOK_MS)
  }

  #heard(): void {
    this.#looks = 0
    this.#heardMs = this.#init.scheduler.monotonic()
  }

  #look(): void {
    if (this.#connected && this.#acknowledged >= this.#sent) {
      this.#rest()
      return
    }
    if (++this.#looks < (this.#connected ? SILENT_LOOKS : DIAL_LOOKS)) return
    // 0 would say that the hop broke
    this.#init.onSilent(Math.max(1, Math.round(this.#init.scheduler.monotonic() - this.#heardMs)))
  }
}
