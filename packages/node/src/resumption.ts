import { MeshError } from '@resultity/interface'
import type { HeldPositions, ResumeOrder } from '@resultity/wire'
import type { SentLog, SentStates } from './sent-log.ts'

/**
 * What a session has of an earlier epoch and what it keeps for a later one: which positions it sends to the next stage, and when
 * its inputs may come.
 */
export class Resumption {
  /** What was sent, or would have been. */
  readonly log: SentLog
  /** Resolves when inputs may come; undefined when they may. */
  #waiting: PromiseWithResolvers<void> | undefined
  #sendFrom: number | undefined

  /** @param waits whether the coordinator will say where the session begins */
  constructor(log: SentLog, waits: boolean) {
    this.log = log
    this.#waiting = waits ? Promise.withResolvers() : undefined
  }

  /** Resolves when inputs may come, or the session is over; undefined when they may already. */
  get waiting(): Promise<void> | undefined {
    return this.#waiting?.promise
  }

  /** What a session with so many positions says it has; undefined where nobody asked. */
  heldOf(position: number): HeldPositions | undefined {
    return this.#waiting === undefined ? undefined : { held: position, loggedFrom: this.log.from(position) }
  }

  /**
   * Takes in where the session begins.
   *
   * @returns what the next stage lacks of what this one has: to be sent before inputs may come
   * @throws MeshError `protocol_violation` when this is known already, or not all of it was kept
   */
  start({ begin, sendFrom }: ResumeOrder): readonly SentStates[] {
    if (this.#waiting === undefined || this.#sendFrom !== undefined) {
      throw new MeshError('protocol_violation', 'a session is to go on that has begun')
    }
    this.#sendFrom = sendFrom
    this.log.truncate(begin)
    if (sendFrom >= begin) return []
    const again = this.log.since(sendFrom)
    if (again !== undefined && this.log.from(begin) <= sendFrom) return again
    throw new MeshError('protocol_violation', `what was sent from position ${sendFrom} on is not kept up to ${begin}`)
  }

  /** Inputs may come; or the session is over, and they will be dropped. */
  release(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }

  /** Keeps what was computed. @returns whether it is to be sent: the next stage has earlier positions */
  sends({ position, count, hidden }: SentStates): boolean {
    this.log.add(position, count, hidden)
    return position >= (this.#sendFrom ?? 0)
  }
}
