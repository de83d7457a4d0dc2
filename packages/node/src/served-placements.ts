import { MeshError, type Scheduler } from '@resultity/interface'
import { type Assign, type AssignmentUpdate, CONTENTS_MAX } from '@resultity/wire'
import type { Logger } from 'pino'
import { drainingError } from './draining.ts'
import type { HopTrials } from './hop-trials.ts'
import { NO_PROGRESS } from './membership.ts'
import { reportSteps } from './report-steps.ts'
import type { StageTable, WeightSource } from './stage-table.ts'

export interface ServedPlacementsComponents {
  readonly stages: StageTable
  readonly trials: Pick<HopTrials, 'untilReached'>
  readonly logger: Logger
  readonly clock: Pick<Scheduler, 'monotonic'>
  /** Source of the weights of a coordinator's assignment. `onBytes` reports the bytes received. */
  readonly weights: (
    assign: Assign,
    coordinator: string,
    onBytes: (done: number, total: number) => void
  ) => WeightSource
  /** Called before a placement's stage goes away. */
  readonly onReleasing: (placementId: string, reason: string) => void
}

interface ServedPlacement {
  readonly coordinator: string
  /** The peer whose hops this placement takes. */
  readonly previousPeer: string | undefined
  /** Aborted when it is released. */
  readonly held: AbortController
  /** The membership that asked for it last. A placement without a living membership is an orphan. */
  membership: object
}

/**
 * Which coordinator asked for which placement. Only its owner may release a placement or open sessions on it. A
 * placement that its owner has forgotten is released.
 */
export class ServedPlacements {
  readonly #components: ServedPlacementsComponents
  readonly #placements = new Map<string, ServedPlacement>()
  #draining = false

  constructor(components: ServedPlacementsComponents) {
    this.#components = components
  }

  owns(coordinator: string, placementId: string): boolean {
    return this.#placements.get(placementId)?.coordinator === coordinator
  }

  /** Whether `coordinator` assigned anything that is not released. */
  ownsAny(coordinator: string): boolean {
    return [...this.#placements.values()].some(placement => placement.coordinator === coordinator)
  }

  /**
   * Whether this node takes hops of `peerId` for a placement.
   * @throws MeshError `session_unknown` when it has no such placement (yet), `session_forbidden`
   */
  admitHop(peerId: string, placementId: string): void {
    const placement = this.#placements.get(placementId)
    if (placement === undefined) {
      throw new MeshError('session_unknown', `this node has no placement ${placementId}`)
    }
    if (placement.previousPeer !== peerId) {
      throw new MeshError('session_forbidden', `${peerId} is not before this node in placement ${placementId}`)
    }
  }

  /** Refuses every new assignment from now on. */
  startDraining(): void {
    this.#draining = true
  }

  /** How many placements were assigned over a membership that still exists; the others belong to nobody any more. */
  countOf(membershipOf: (coordinator: string) => object | undefined): number {
    const all = [...this.#placements.values()]
    return all.filter(({ coordinator, membership }) => membershipOf(coordinator) === membership).length
  }

  /** Serves an assignment and reports every state of it; never rejects: failures are reported too. */
  async assign(
    assign: Assign,
    coordinator: string,
    membership: object,
    report: (update: AssignmentUpdate) => void
  ): Promise<void> {
    const { placementId, model, range } = assign
    const update = (fields: Partial<AssignmentUpdate> & Pick<AssignmentUpdate, 'state'>): void =>
      report({ ...NO_PROGRESS, placementId, ...fields })
    try {
      const { signal } = this.#claim(assign, coordinator, membership).held
      const source = this.#components.weights(
        assign,
        coordinator,
        reportSteps(this.#components.clock, (bytesDone, bytesTotal) => {
          update({ state: 'fetching', bytesDone, bytesTotal })
        })
      )
      const { measurement, memoryBytes } = await this.#components.stages.assign(assign, source, state => {
        if (state !== 'ready') update({ state })
      })
      await this.#link(assign, coordinator, update, signal)
      const { fixedMs: fixedDecodeMs, digest: selfTestSha256, ...perLayer } = measurement
      const contents = this.#components.stages.contentsOf(placementId).slice(0, CONTENTS_MAX)
      update({ state: 'ready', memoryBytes, fixedDecodeMs, selfTestSha256, contents, ...perLayer })
      this.#components.logger.info({ model, range, placement: placementId, ...measurement }, 'stage ready')
    } catch (cause) {
      const error = MeshError.from(cause, 'engine_failed')
      if (this.owns(coordinator, placementId)) this.#placements.delete(placementId)
      update({ state: error.code === 'canceled' ? 'released' : 'failed', error })
      if (error.code !== 'canceled') this.#components.logger.error({ err: cause, model, range }, 'stage not served')
    }
  }

  /** Gives a placement up, if `coordinator` owns it. */
  async release(placementId: string, coordinator: string, reason: string): Promise<void> {
    if (!this.owns(coordinator, placementId)) return
    this.#placements.get(placementId)?.held.abort(new MeshError('canceled', `it was released: ${reason}`))
    this.#placements.delete(placementId)
    this.#components.onReleasing(placementId, reason)
    await this.#components.stages.release(placementId)
    this.#components.logger.info({ placement: placementId, reason }, 'stage released')
  }

  /** Gives up waiting for next stages. */
  close(): void {
    for (const { held } of this.#placements.values()) held.abort(new MeshError('canceled', 'the node is shutting down'))
  }

  /** Releases what `coordinator` assigned over any membership but `current`. */
  async releaseOrphans(coordinator: string, current: object | undefined): Promise<void> {
    for (const [placementId, placement] of this.#placements) {
      if (placement.coordinator !== coordinator || placement.membership === current) continue
      await this.release(placementId, coordinator, 'the coordinator that assigned it is gone')
    }
  }

  /** A stage that does not reach the next one is not ready. It stays loaded while it waits: another order may come. */
  async #link(
    { placementId, next }: Assign,
    coordinator: string,
    update: (fields: Partial<AssignmentUpdate> & Pick<AssignmentUpdate, 'state'>) => void,
    signal: AbortSignal
  ): Promise<void> {
    if (next === undefined) return
    update({ state: 'linking' })
    const onUnreached = (error: MeshError): void => {
      this.#components.logger.warn(
        { err: error, placement: placementId, next: next.peerId },
        'the next stage is not reached'
      )
      update({ state: 'linking', error, unreachedPeer: next.peerId })
    }
    await this.#components.trials.untilReached({ placementId, next, coordinator }, onUnreached, signal)
  }

  #claim({ placementId, previousPeer }: Assign, coordinator: string, membership: object): ServedPlacement {
    const present = this.#placements.get(placementId)
    if (present !== undefined && present.coordinator !== coordinator) {
      throw new MeshError('peer_refused', `placement ${placementId} belongs to another coordinator`)
    }
    if (present === undefined && this.#draining) throw drainingError()
    if (present !== undefined) {
      present.membership = membership
      return present
    }
    const claimed = { coordinator, membership, previousPeer, held: new AbortController() }
    this.#placements.set(placementId, claimed)
    return claimed
  }
}
