import { type Clock, isEncoder, MeshError } from '@resultity/interface'
import { type PlacementPlan, type PlacementShortfall, planPlacement } from '@resultity/planner'
import type { NodeChange, NodeRecord, NodeRegistry } from '../membership/node-registry.ts'
import { FailureLog } from './failure-log.ts'
import { estimateNode, HOP_MS } from './node-estimate.ts'
import { NodeMemory } from './node-memory.ts'
import { type NodePool, oneForAll, type PoolSource, type RouteConstraints } from './node-pool.ts'
import { type PlaceableModel, shapeOf } from './placeable-model.ts'
import { type PlacedStage, Placement, type PlacementPurpose, type StageReport } from './placement.ts'
import { keyOf, PlacementTable } from './placement-table.ts'
import { layersMissing, refuseMoreStagesThanLayers } from './shortfall.ts'
import { type Target, Targets } from './targets.ts'

/** What the director wants a node told. */
export interface AssignmentPort {
  assign(placement: Placement, stage: PlacedStage): void
  release(peerId: string, placementId: string, reason: string): void
}

export interface PlacementDirectorComponents {
  readonly registry: NodeRegistry
  readonly assignments: AssignmentPort
  readonly clock: Clock
  /** Default: every node is for everybody. */
  readonly pools?: PoolSource
  newId(): string
}

export interface PlacementDirectorInit {
  /** Stages of every model's default placement. */
  readonly stages: 'auto' | number
  readonly fewerStagesAfterMs: number
  readonly assignmentRetryMs: number
  readonly assignmentSilenceMs: number
  readonly onDemandIdleMs: number
}

/** What a request gets: a placement to run on, a reason to wait, or an error that waiting does not cure. */
export type PlacementChoice =
  | { readonly type: 'ready'; readonly placement: Placement }
  | { readonly type: 'busy' }
  | { readonly type: 'loading' }
  | { readonly type: 'error'; readonly error: MeshError }

/**
 * Decides which node serves which layers of which model, and what nodes are told about it.
 *
 * Deterministic: it acts only when it is told of something (a node's coming, report or going; a request; the passing
 * of time through `reconcile`), and takes the time from its clock. Each model has one default placement as long as
 * nodes allow, and one more in each subcloud that names it; what a subcloud does not name is placed there when it is
 * asked for, and goes when it is not used. When a node of a placement is lost, the placement is broken at once; the
 * next `reconcile` tells its other nodes to release it and plans the model anew.
 */
export class PlacementDirector {
  readonly table = new PlacementTable()
  readonly #components: PlacementDirectorComponents
  readonly #targets: Targets
  readonly #init: PlacementDirectorInit
  readonly #failures: FailureLog
  readonly #shortfalls = new Map<string, PlacementShortfall>()
  readonly #memory = new NodeMemory(this.table)
  readonly #listeners = new Set<() => void>()
  #lastJoinMs = 0

  constructor(components: PlacementDirectorComponents, init: PlacementDirectorInit) {
    this.#components = components
    this.#targets = new Targets(components.pools ?? oneForAll)
    this.#init = init
    this.#failures = new FailureLog(components.clock, init.assignmentRetryMs)
  }

  get models(): readonly PlaceableModel[] {
    return this.#targets.models
  }

  /** Serves one more model from now on. */
  addModel(model: PlaceableModel): void {
    this.#targets.addModel(model)
  }

  /** @returns stops listening */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Brings every model's placements nearer to what they should be. Call after every change, soon.
   * @returns Unix milliseconds at which to call again even if nothing happens, if time alone may change something
   */
  reconcile(): number | undefined {
    const now = this.#components.clock.now()
    this.#giveUpSilent(now)
    this.#leavePools()
    this.#releaseEnded(now)
    const wakes = this.#targets.defaults().map(target => this.#reconcileDefault(target, now))
    for (const target of this.#targets.asked()) if (this.#serving(target) === undefined) this.#placeAsked(target)
    this.#notify()
    const due = [...wakes, this.#failures.nextRetryMs(), this.#nextIdleMs(), this.#nextSilentMs()]
      .filter(ms => ms !== undefined)
      // a millisecond late rather than early: timers may fire just before their time
      .map(ms => ms + 1)
    return due.length === 0 ? undefined : Math.min(...due)
  }

  /** Takes in who came, went, or said what about itself. */
  nodeChanged(change: NodeChange): void {
    const { peerId } = change.node
    if (change.type === 'left') {
      this.#memory.forget(peerId)
      this.#failures.forget(peerId)
      this.table.nodeLeft(peerId, change.reason)
      return
    }
    if (change.type === 'joined') {
      this.#lastJoinMs = this.#components.clock.now()
      // what could not be placed may be placed now: requests wait for the next try
      this.#shortfalls.clear()
    }
    this.#memory.note(change.node)
  }

  /** Subclouds are not what they were. Call {@link reconcile} after it. */
  poolsChanged(): void {
    this.#shortfalls.clear()
    this.#targets.prune()
  }

  /** Takes in a node's report on what it was assigned. */
  report(peerId: string, placementId: string, report: StageReport): void {
    if (report.state === 'released') this.#memory.releaseConfirmed(peerId, placementId)
    const placement = this.table.get(placementId)
    if (placement === undefined) return
    const before = placement.state
    placement.report(peerId, report, this.#components.clock.now())
    if (placement.state === before) return
    if (placement.state === 'ready') this.#onReady(placement)
    if (placement.state === 'broken') this.#failures.add(peerId, placement.model.manifestSha256, placement.error)
    this.#notify()
  }

  /**
   * Finds what a request for `model` should run on; makes a placement as it is wished for when there is none.
   * @throws MeshError `invalid_request` when there are more stages than layers
   */
  choose(model: PlaceableModel, { stages, pool = this.#targets.general }: RouteConstraints = {}): PlacementChoice {
    if (stages !== undefined) refuseMoreStagesThanLayers(model, stages, 'mesh.stages')
    const target = { model, pool }
    const found = this.#serving(target, stages)
    if (found !== undefined && this.table.hasFreeSlot(found)) return { type: 'ready', placement: found }
    if (found !== undefined) return { type: found.state === 'loading' ? 'loading' : 'busy' }
    const shortfall = this.#shortfalls.get(keyOf(model, pool))
    const planned = this.#targets.isDefault(target)
    // the default placement comes first; it may turn out to have as many stages as are asked for
    if (planned && shortfall === undefined && this.#isAwaited(target)) return { type: 'loading' }
    if (stages !== undefined) return this.#demand(target, stages)
    if (shortfall !== undefined) return { type: 'error', error: this.#layersMissing(target, shortfall) }
    return planned ? { type: 'loading' } : this.#ask(target)
  }

  /** Whether a placement is on nodes of `pool` only, whatever pool it was made for. */
  fits(placement: Placement, pool: NodePool): boolean {
    return placement.stages.every(({ peerId }) => {
      const node = this.#components.registry.get(peerId)
      // of a node that has gone its own pool knows, and breaks it
      return node === undefined ? placement.pool.key === pool.key : pool.admits(node)
    })
  }

  /** Whether `model` could not be placed in `pool` at the last try. */
  isUnplaced(model: PlaceableModel, pool: NodePool): boolean {
    return this.#shortfalls.has(keyOf(model, pool))
  }

  /**
   * What the planner would do now if `model` had no placement yet.
   *
   * @param stages as the default placement's when it is left out
   * @throws MeshError `layers_missing`; `invalid_request` when there are more stages than layers
   */
  whatIf(model: PlaceableModel, stages?: 'auto' | number, pool: NodePool = this.#targets.general): PlacementPlan {
    const others = this.table.all().filter(placement => placement.model !== model)
    if (typeof stages === 'number') refuseMoreStagesThanLayers(model, stages, 'stages')
    const target = { model, pool }
    const plan = this.#plan(target, stages ?? this.#wantedStages(target), others)
    if ('missing' in plan) throw this.#layersMissing(target, plan)
    return plan
  }

  /** Models that could not be placed at the last try. */
  get unplacedCount(): number {
    return this.#shortfalls.size
  }

  /** A session of `placement` has ended. */
  freeSlot(placement: Placement): void {
    placement.freeSlot(this.#components.clock.now())
    if (placement.state === 'draining' && placement.sessionsOpen === 0) this.#release(placement, 'it was replaced')
    this.#notify()
  }

  takeSlot(placement: Placement): void {
    placement.takeSlot(this.#components.clock.now())
  }

  /** @returns when to look again, if that is a matter of time */
  #reconcileDefault(target: Target, now: number): number | undefined {
    const { model, pool } = target
    const defaults = this.#defaultsOf(target)
    if (defaults.some(placement => placement.state === 'loading')) return undefined
    const current = defaults[0]
    if (current === undefined && !this.#isAwaited(target)) return undefined
    const nodes = this.#usableNodes(model, pool)
    const wanted = this.#wantedStages(target)
    if (current !== undefined && (wanted === 'auto' || current.stages.length >= wanted)) return undefined
    const wakeMs = this.#lastJoinMs + this.#init.fewerStagesAfterMs
    const fewer = wanted !== 'auto' && !isEncoder(model.manifest) && nodes.length < Number(this.#init.stages)
    if (fewer && nodes.length > 0 && now < wakeMs && !this.table.wasBroken(model, pool)) return wakeMs
    const plan = this.#plan(target, wanted)
    const fallback = 'missing' in plan && current === undefined ? this.#planMakingRoom(target, 'auto') : plan
    if (!('missing' in fallback)) {
      this.#create(target, 'default', fallback)
    } else if (current === undefined) {
      this.#shortfalls.set(keyOf(model, pool), fallback)
    }
    return undefined
  }

  /** Places what was asked for. @returns why not */
  #placeAsked(target: Target): PlacementShortfall | undefined {
    const wanted = this.#planMakingRoom(target, this.#wantedStages(target))
    const plan = 'missing' in wanted ? this.#planMakingRoom(target, 'auto') : wanted
    if (!('missing' in plan)) {
      this.#create(target, 'on-demand', plan)
      return undefined
    }
    if (!target.pool.adHoc) this.#shortfalls.set(keyOf(target.model, target.pool), plan)
    return plan
  }

  #wantedStages({ model, pool }: Target): 'auto' | number {
    if (isEncoder(model.manifest)) return 1
    if (this.#init.stages === 'auto') return 'auto'
    const nodeCount = this.#usableNodes(model, pool).length
    return Math.max(1, Math.min(this.#init.stages, nodeCount, model.manifest.config.layerCount))
  }

  #serving({ model, pool }: Target, stages?: number): Placement | undefined {
    return this.table.serving(model, stages, pool, placement => this.fits(placement, pool))
  }

  #defaultsOf({ model, pool }: Target): Placement[] {
    return this.table.of(model).filter(one => one.purpose === 'default' && one.pool.key === pool.key && one.serving)
  }

  /** Whether a default placement is still to come. A subcloud needs none while there is another on its nodes. */
  #isAwaited(target: Target): boolean {
    if (this.#defaultsOf(target).length > 0) return false
    return target.pool === this.#targets.general || this.#serving(target) === undefined
  }

  #ask(target: Target): PlacementChoice {
    this.#targets.ask(target)
    const shortfall = this.#placeAsked(target)
    return shortfall === undefined
      ? { type: 'loading' }
      : { type: 'error', error: this.#layersMissing(target, shortfall) }
  }

  #demand(target: Target, stages: number): PlacementChoice {
    const plan = this.#planMakingRoom(target, stages)
    if ('missing' in plan) return { type: 'error', error: this.#layersMissing(target, plan) }
    this.#create(target, 'on-demand', plan)
    return { type: 'loading' }
  }

  /** Plans; if that fails for lack of memory, releases idle on-demand placements, as many as it takes and if it helps. */
  #planMakingRoom(target: Target, stages: 'auto' | number): PlacementPlan | PlacementShortfall {
    let plan = this.#plan(target, stages)
    if (!('missing' in plan)) return plan
    const idle = this.table.idle()
    const rest = this.table.all().filter(placement => !idle.includes(placement))
    if (idle.length === 0 || 'missing' in this.#plan(target, stages, rest)) return plan
    for (const placement of idle) {
      this.#release(placement, 'its memory is needed')
      plan = this.#plan(target, stages)
      if (!('missing' in plan)) break
    }
    return plan
  }

  #plan(
    { model, pool }: Target,
    stages: 'auto' | number,
    placements = this.table.all()
  ): PlacementPlan | PlacementShortfall {
    const nodes = this.#usableNodes(model, pool).map(node =>
      estimateNode(node, model, placements, this.#memory.foreignBytes(node.peerId))
    )
    // an encoder is served whole
    const count = isEncoder(model.manifest) ? 1 : stages
    return planPlacement({ model: shapeOf(model), nodes, stages: count, hopMs: HOP_MS })
  }

  #usableNodes(model: PlaceableModel, pool: NodePool): NodeRecord[] {
    const nodes = this.#components.registry.list().filter(node => pool.admits(node))
    return nodes.filter(node => !this.#failures.excludes(node.peerId, model.manifestSha256))
  }

  #create({ model, pool }: Target, purpose: PlacementPurpose, plan: PlacementPlan): void {
    const { clock, assignments, newId } = this.#components
    const placement = new Placement({ id: newId(), model, pool, purpose, plan, nowMs: clock.now() })
    this.table.add(placement)
    this.#shortfalls.delete(keyOf(model, pool))
    for (const stage of placement.stages) assignments.assign(placement, stage)
  }

  #onReady(placement: Placement): void {
    const { model, pool } = placement
    this.table.recovered(model, pool)
    for (const stage of placement.stages) this.#failures.forget(stage.peerId, placement.model.manifestSha256)
    if (placement.purpose !== 'default') return
    const replaced = this.#defaultsOf({ model, pool }).filter(other => other !== placement && other.state === 'ready')
    for (const old of replaced) {
      old.drain()
      if (old.sessionsOpen === 0) this.#release(old, 'it was replaced')
    }
  }

  /** A node that neither serves nor says how far it is would keep its placement loading for ever. */
  #giveUpSilent(now: number): void {
    for (const placement of this.table.all()) {
      const silent = placement.silentStage(now - this.#init.assignmentSilenceMs)
      if (silent === undefined) continue
      const what = `it did not say for ${this.#init.assignmentSilenceMs} ms how its assignment goes`
      placement.break(silent.peerId, new MeshError('deadline_exceeded', what))
      this.#failures.add(silent.peerId, placement.model.manifestSha256, placement.error)
    }
  }

  #nextSilentMs(): number | undefined {
    const loading = this.table.all().filter(placement => placement.state === 'loading')
    if (loading.length === 0) return undefined
    return Math.min(...loading.map(placement => placement.lastReportMs)) + this.#init.assignmentSilenceMs
  }

  /** A placement some node of which is not of its pool any more takes no more sessions, and ends with its last. */
  #leavePools(): void {
    for (const placement of this.table.all()) {
      if (!placement.serving || this.fits(placement, placement.pool)) continue
      if (placement.state === 'ready') placement.drain()
      if (placement.sessionsOpen === 0) this.#release(placement, 'its nodes are for others now')
    }
  }

  #releaseEnded(now: number): void {
    for (const placement of this.table.all()) {
      if (placement.state === 'broken') this.#release(placement, placement.error?.message ?? 'a node of it was lost')
      else if (placement.idle && now >= placement.lastUsedAtMs + this.#init.onDemandIdleMs) {
        this.#targets.forget(placement)
        this.#release(placement, 'it was not used')
      }
    }
  }

  #release(placement: Placement, reason: string): void {
    for (const { peerId } of placement.stages) {
      if (this.#components.registry.get(peerId) === undefined) continue
      this.#memory.releaseSent(peerId, placement.id)
      this.#components.assignments.release(peerId, placement.id, reason)
    }
    this.table.remove(placement)
  }

  #nextIdleMs(): number | undefined {
    const first = this.table.idle()[0]
    return first === undefined ? undefined : first.lastUsedAtMs + this.#init.onDemandIdleMs
  }

  #layersMissing({ model, pool }: Target, shortfall: PlacementShortfall): MeshError {
    return layersMissing({
      model,
      pool,
      shortfall,
      lost: this.table.lostRanges(model, pool, peerId => this.#components.registry.get(peerId) !== undefined),
      failure: this.#failures.latest(model.manifestSha256),
      usableCount: this.#usableNodes(model, pool).length
    })
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }
}
