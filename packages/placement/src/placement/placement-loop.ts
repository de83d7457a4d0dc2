import { type Clock, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import type { NodeChange, NodeRegistry } from '../membership/node-registry.ts'
import type { StageReport } from './placement.ts'
import type { PlacementDirector } from './placement-director.ts'

export interface PlacementLoopComponents {
  readonly registry: NodeRegistry
  readonly director: PlacementDirector
  readonly clock: Clock
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/** Node timers hold at most 2³¹−1 ms. */
const TIMER_MS_MAX = 2 ** 31 - 1

/**
 * Drives the director: passes changes to it, and calls `reconcile` at once after a loss, after a settling time when
 * something was gained, and whenever it asked to be called again.
 */
export class PlacementLoop implements Disposable {
  readonly #components: PlacementLoopComponents
  readonly #settleMs: number
  readonly #stopListening: () => void
  readonly #scheduler: Scheduler
  #timer: Timer | undefined
  #dueMs = Number.POSITIVE_INFINITY
  #stopped = false

  constructor(components: PlacementLoopComponents, settleMs: number) {
    this.#components = components
    this.#scheduler = components.scheduler ?? systemScheduler
    this.#settleMs = settleMs
    this.#stopListening = components.registry.onChange(change => this.#onNodeChange(change))
  }

  /** A node's report; what follows from it happens before this returns. */
  report(peerId: string, placementId: string, report: StageReport): void {
    this.#components.director.report(peerId, placementId, report)
    const { state, unreachedPeer } = report
    if (state === 'ready' || state === 'failed' || state === 'released' || unreachedPeer !== undefined) this.reconcile()
  }

  /** A node does not answer; what follows from it happens before this returns. @returns as the director's */
  suspect(peerId: string, placementId: string, why?: string): boolean {
    const gone = this.#components.director.suspect(peerId, placementId, why)
    if (gone) this.reconcile()
    return gone
  }

  /** Nothing passes between two nodes; what follows from it happens before this returns. @returns as the director's */
  suspectLink(from: string, to: string, placementId: string): boolean {
    const gone = this.#components.director.suspectLink(from, to, placementId)
    if (gone) this.reconcile()
    return gone
  }

  /** Subclouds were defined otherwise; what follows from it happens before this returns. */
  poolsChanged(): void {
    this.#components.director.poolsChanged()
    this.reconcile()
  }

  reconcile(): void {
    if (this.#stopped) return
    this.#clearTimer()
    const wakeMs = this.#components.director.reconcile()
    if (wakeMs !== undefined) this.#wakeAt(wakeMs)
  }

  [Symbol.dispose](): void {
    this.#stopped = true
    this.#stopListening()
    this.#clearTimer()
  }

  #onNodeChange(change: NodeChange): void {
    const { director, clock } = this.#components
    director.nodeChanged(change)
    // not debounced: requests are failing now
    if (change.type === 'left') this.reconcile()
    else if (change.node.advert.draining === true) this.reconcile()
    else if (change.type === 'joined' || director.unplacedCount > 0) this.#wakeAt(clock.now() + this.#settleMs)
  }

  /** Wakes at `ms` at the latest. */
  #wakeAt(ms: number): void {
    if (this.#stopped || ms >= this.#dueMs) return
    this.#clearTimer()
    this.#dueMs = ms
    const waitMs = Math.min(Math.max(0, ms - this.#components.clock.now()), TIMER_MS_MAX)
    this.#timer = this.#scheduler.setTimeout(() => this.reconcile(), waitMs)
  }

  #clearTimer(): void {
    this.#scheduler.clear(this.#timer)
    this.#timer = undefined
    this.#dueMs = Number.POSITIVE_INFINITY
  }
}
