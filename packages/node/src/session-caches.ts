import type { Stage, StageSession } from '@resultity/engine'
import type { Scheduler } from '@resultity/interface'
import type { OpenSession } from '@resultity/wire'
import type { LinkedSession } from './linked-session.ts'
import { disposeCache, type SessionCache } from './parked-sessions.ts'
import { type SentLog, SentLogs } from './sent-log.ts'
import { prefixOf } from './session-prefix.ts'
import type { StageTable } from './stage-table.ts'

export interface SessionCachesComponents {
  readonly stages: StageTable
  readonly scheduler: Pick<Scheduler, 'monotonic'>
  /** Memory for what sessions have sent. */
  readonly sentLogBytes: number
}

/** Whose session it is, and where it has its slot. */
interface SessionPlace {
  readonly coordinator: string
  readonly stage: Stage
}

/** Gives sessions their slots: new ones, or what is left of their earlier epochs; and takes back what later ones may need. */
export class SessionCaches {
  readonly #stages: StageTable
  readonly #scheduler: Pick<Scheduler, 'monotonic'>
  readonly #logs: SentLogs
  readonly #places = new WeakMap<LinkedSession, SessionPlace>()

  constructor({ stages, scheduler, sentLogBytes }: SessionCachesComponents) {
    this.#stages = stages
    this.#scheduler = scheduler
    this.#logs = new SentLogs(sentLogBytes, () => scheduler.monotonic())
  }

  /** Memory that is held for what sessions have sent, those that are parked included. */
  get sentLogBytes(): number {
    return this.#logs.bytes
  }

  /**
   * What this node has parked of the session, as much of it as the coordinator wants to be kept. It is the caller's to dispose of.
   *
   * @param gone aborts when the coordinator's stream ends
   * @throws MeshError `session_unknown`; the signal's reason
   */
  async parkedOf(open: OpenSession, coordinator: string, gone: AbortSignal): Promise<SessionCache | undefined> {
    const { stage } = this.#stages.find(open.placementId)
    const cache = await this.#stages.parked.take(open, coordinator, stage)
    if (cache === undefined) return undefined
    try {
      gone.throwIfAborted()
      const held = Math.min(cache.positions, open.keepPositions ?? 0)
      cache.stage.truncate(held)
      cache.log.truncate(held)
      return cache
    } catch (error) {
      disposeCache(cache)
      throw error
    }
  }

  /** Whether there is something to take, or to drop, before the session can be opened. */
  hasParked(open: OpenSession): boolean {
    return this.#stages.parked.has(open)
  }

  /**
   * A slot with nothing in it, or with what the engine has kept of prompts that begin alike. Sessions that are parked make room.
   * @throws MeshError `session_unknown`, `resource_exhausted`, `context_length_exceeded`
   */
  fresh(open: OpenSession): { readonly stage: StageSession; readonly log: SentLog } {
    const { stage } = this.#stages.find(open.placementId)
    const { promptCount, tokensMax, workClass = 'interactive' } = open
    while (stage.sessionsOpen >= stage.sessionsMax && this.#stages.parked.evict(stage));
    const { prefix } = prefixOf(open)
    const sizes = { positionsMax: promptCount + tokensMax, workClass, promptCount }
    const slot = stage.open({ ...sizes, ...(prefix === undefined ? {} : { prefix }) })
    return { stage: slot, log: this.#logs.open(prefix) }
  }

  /** The session is open. */
  opened(session: LinkedSession, place: SessionPlace): void {
    this.#places.set(session, place)
  }

  /** Ends the session. Its answer goes on, on another route, of which this stage may be part. */
  park(session: LinkedSession): void {
    const place = this.#places.get(session)
    if (session.closed || place === undefined || !this.#stages.serves(place.stage)) session.close()
    else {
      const nowMs = this.#scheduler.monotonic()
      this.#stages.parked.park({ ...place, open: session.open, cache: session.park(), nowMs })
    }
  }

  /** Drops what was parked for longer than its lease, and what was sent that nobody has used for long. */
  expire(): void {
    this.#stages.parked.expire(this.#scheduler.monotonic())
    this.#logs.expire()
  }

  /** Nothing that sessions of this placement have left is used any more. */
  forgetPrefixes(placementId: string): void {
    this.#stages.forgetPrefixes(placementId)
    this.#logs.forget(placementId)
  }

  clear(): void {
    this.#stages.parked.clear()
  }
}
