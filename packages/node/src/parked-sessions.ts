import type { Stage, StageSession } from '@resultity/engine'
import { type OpenSession, type SessionFence, sessionKey } from '@resultity/wire'
import type { SentLog } from './sent-log.ts'
import { isFencedBy } from './session-fences.ts'

/** What is left of a session whose route was lost, for the next epoch. */
export interface SessionCache {
  /** Its slot on the stage. */
  readonly stage: StageSession
  /** What of it counts: the results of these positions were handed on. */
  readonly positions: number
  /** What was sent of them. */
  readonly log: SentLog
  /** Resolves once no run is under way, with false when one has broken off: the cache is of no use then. */
  readonly settled: Promise<boolean>
}

/** A session that is parked, as it was opened. */
export interface ParkedInit {
  readonly open: OpenSession
  readonly coordinator: string
  /** That has the slot. */
  readonly stage: Stage
  readonly cache: SessionCache
  readonly nowMs: number
}

interface Parked extends Omit<ParkedInit, 'nowMs'> {
  readonly untilMs: number
}

/**
 * Sessions between two epochs. Each holds a slot of its stage, which any other session may have, and goes when the lease that its
 * coordinator asked for has passed. So there are never more than slots.
 */
export class ParkedSessions {
  /** By session, those that were parked first before others. */
  readonly #parked = new Map<string, Parked>()

  get size(): number {
    return this.#parked.size
  }

  /** Keeps what is of use. */
  park({ nowMs, ...session }: ParkedInit): void {
    const key = sessionKey(session.open.session)
    this.#drop(key)
    if (session.cache.positions === 0) disposeCache(session.cache)
    else this.#parked.set(key, { ...session, untilMs: nowMs + session.open.leaseMs })
  }

  /** Whether something is parked of the session that `open` opens. */
  has(open: OpenSession): boolean {
    return this.#parked.has(sessionKey(open.session))
  }

  /** How many hold a slot of this stage. */
  countOn(stage: Stage): number {
    let count = 0
    for (const parked of this.#parked.values()) if (parked.stage === stage) count++
    return count
  }

  /**
   * Takes out what `open` may go on with: what this coordinator has parked of an earlier epoch of the session, on this stage and
   * for an answer of the same sizes. What it may not go on with is dropped.
   */
  async take(open: OpenSession, coordinator: string, stage: Stage): Promise<SessionCache | undefined> {
    const key = sessionKey(open.session)
    const parked = this.#parked.get(key)
    // of another coordinator, who has nothing to do with this one
    if (parked === undefined || parked.coordinator !== coordinator) return undefined
    if (parked.stage !== stage || !isAnswerOf(parked.open, open)) {
      this.#drop(key)
      return undefined
    }
    const sound = await parked.cache.settled
    // another session needed the slot meanwhile
    if (this.#parked.get(key) !== parked) return undefined
    if (!sound) {
      this.#drop(key)
      return undefined
    }
    this.#parked.delete(key)
    return parked.cache
  }

  /** Frees the slot of the session that has been parked on this stage for longest. @returns false when none is */
  evict(stage: Stage): boolean {
    for (const [key, parked] of this.#parked) {
      if (parked.stage !== stage) continue
      this.#drop(key)
      return true
    }
    return false
  }

  /** The stage goes away. */
  dropOn(stage: Stage): void {
    while (this.evict(stage));
  }

  /** Drops those of earlier attempts at the same request. */
  fence(fence: SessionFence): void {
    for (const [key, { open }] of this.#parked) if (isFencedBy(open.fence, fence)) this.#drop(key)
  }

  /** Drops those whose lease has passed. */
  expire(nowMs: number): void {
    for (const [key, { untilMs }] of this.#parked) if (nowMs >= untilMs) this.#drop(key)
  }

  clear(): void {
    for (const key of [...this.#parked.keys()]) this.#drop(key)
  }

  #drop(key: string): void {
    const parked = this.#parked.get(key)
    this.#parked.delete(key)
    if (parked !== undefined) disposeCache(parked.cache)
  }
}

export function disposeCache({ stage, log }: SessionCache): void {
  log[Symbol.dispose]()
  stage[Symbol.dispose]()
}

/** Whether `next` is a later epoch of the same answer, whose steps are the same. */
function isAnswerOf(parked: OpenSession, next: OpenSession): boolean {
  return (
    next.epoch > parked.epoch &&
    (next.keepPositions ?? 0) > 0 &&
    next.promptCount === parked.promptCount &&
    next.tokensMax === parked.tokensMax &&
    next.prefillChunk === parked.prefillChunk &&
    next.workClass === parked.workClass
  )
}
