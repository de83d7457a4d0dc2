import { isServedWhole } from '@resultity/interface'
import type { PlacementPlan, PlacementShortfall } from '@resultity/planner'
import type { NodeChange } from '../membership/node-registry.ts'
import { Evacuation, type HandoverListener } from './evacuation.ts'
import { FailureLog } from './failure-log.ts'
import { handover } from './handover.ts'
import { type BannedLink, LinkLog } from './link-log.ts'
import { NodeMemory } from './node-memory.ts'
import { type NodePool, oneForAll, type RouteConstraints } from './node-pool.ts'
import type { PlaceableModel } from './placeable-model.ts'
import { Placement, type PlacementPurpose, type StageReport } from './placement.ts'
import type { PlacementChoice } from './placement-choice.ts'
import type { PlacementDirectorComponents, PlacementDirectorInit } from './placement-director-init.ts'
import { keyOf, PlacementTable } from './placement-table.ts'
import { refuseMoreStagesThanLayers } from './shortfall.ts'
import { Suspicions } from './suspicions.ts'
import { TargetPlanner } from './target-planner.ts'
import { type Target, Targets } from './targets.ts'

/** Answers are told to go on elsewhere again after this time: they may have been opening at the first time. */
const TELL_AGAIN_MS = 250

/**
 * Decides which node serves which layers of which model, and which orders the nodes get.
 *
 * Deterministic: it acts only on input (a node that joins, reports or leaves; a request; the passing of time through
 * `reconcile`), and takes the time from its clock. Each model has one default placement as long as nodes allow, and one
 * more in each subcloud that names it. A model that a subcloud does not name is placed there on request, and released
 * when it is not used. When a node of a placement is lost, the placement is broken at once; the next `reconcile` gives
 * its layers to another node while the others keep theirs, and plans the model again where there is none. A node that is
 * about to leave is got off before it does.
 */
export class PlacementDirector {
  readonly table = new PlacementTable()
  readonly #components: PlacementDirectorComponents
  readonly #targets: Targets
  readonly #init: PlacementDirectorInit
  readonly #failures: FailureLog
  readonly #links: LinkLog
  readonly #suspicions: Suspicions
  readonly #shortfalls = new Map<string, PlacementShortfall>()
  readonly #memory = new NodeMemory(this.table)
  readonly #planner: TargetPlanner
  readonly #evacuation: Evacuation
  /** Not told to their nodes yet. */
  readonly #created: Placement[] = []
  readonly #listeners = new Set<() => void>()
  #lastJoinMs = 0

  constructor(components: PlacementDirectorComponents, init: PlacementDirectorInit) {
    this.#components = components
    this.#targets = new Targets(components.pools ?? oneForAll)
    this.#init = init
    this.#failures = new FailureLog(components.clock, init.assignmentRetryMs)
    this.#links = new LinkLog(components.clock, init.assignmentRetryMs)
    const { registry } = components
    const { table } = this
    const known = { registry, table, failures: this.#failures, links: this.#links }
    this.#planner = new TargetPlanner({ ...known, memory: this.#memory }, init.stages)
    this.#suspicions = new Suspicions({ ...known, planner: this.#planner })
    this.#evacuation = new Evacuation({
      registry,
      table,
      standing: placement => this.#standing(placement),
      plan: placement => this.#planner.replace(placement),
      canDoWithout: (placement, peerId) => this.#planner.canDoWithout(placement, peerId),
      create: (placement, plan) => this.#create(placement, placement.purpose, plan)
    })
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

  /** Hears when answers on a placement are to go on elsewhere, perhaps more than once. @returns stops listening */
  onHandover(listener: HandoverListener): () => void {
    return this.#evacuation.onHandover(listener)
  }

  /**
   * Brings every model's placements nearer to what they should be. Call after every change, soon.
   * @returns Unix milliseconds at which to call again even if nothing happens, if time alone may change something
   */
  reconcile(): number | undefined {
    const now = this.#components.clock.now()
    this.#suspicions.ofSilence(now - this.#init.assignmentSilenceMs, this.#init.assignmentSilenceMs)
    this.#leavePools()
    this.#releaseUnused(now)
    this.#evacuation.look()
    const broken = this.table.all().filter(({ state }) => state === 'broken')
    for (const placement of broken) this.#repair(placement)
    const wakes = this.#targets.defaults().map(target => this.#reconcileDefault(target, now))
    for (const target of this.#targets.asked()) if (this.#serving(target) === undefined) this.#placeAsked(target)
    this.#tellNodes(broken)
    const tellAgainMs = this.#evacuation.tell() ? now + TELL_AGAIN_MS : undefined
    this.#notify()
    const unusedMs = later(this.table.idle()[0]?.lastUsedAtMs, this.#init.onDemandIdleMs)
    const silentMs = later(this.table.silentSinceMs, this.#init.assignmentSilenceMs)
    const due = [...wakes, this.#failures.nextRetryMs(), this.#links.nextRetryMs(), unusedMs, silentMs, tellAgainMs]
      .filter(ms => ms !== undefined)
      // a millisecond late rather than early: timers may fire just before their time
      .map(ms => ms + 1)
    return due.length === 0 ? undefined : Math.min(...due)
  }

  /** Handles a node that joined, left, or sent a new advert. */
  nodeChanged(change: NodeChange): void {
    const { peerId } = change.node
    if (change.type === 'left') {
      this.#memory.forget(peerId)
      this.#failures.forget(peerId)
      this.#links.forget(peerId)
      this.table.nodeLeft(peerId, change.reason)
      return
    }
    if (change.type === 'joined') {
      this.#lastJoinMs = this.#components.clock.now()
      // a model that could not be placed before may fit now: requests wait for the next attempt
      this.#shortfalls.clear()
    }
    this.#memory.note(change.node)
    if (this.table.foreign.note(change.node)) this.#notify()
  }

  /** The subclouds have changed. Call {@link reconcile} after it. */
  poolsChanged(): void {
    this.#shortfalls.clear()
    this.#targets.prune()
  }

  /** Notes a node's report on an assignment. */
  report(peerId: string, placementId: string, report: StageReport): void {
    if (report.state === 'released') this.#memory.releaseConfirmed(peerId, placementId)
    const placement = this.table.get(placementId)
    if (placement === undefined) return
    const before = placement.state
    placement.report(peerId, report, this.#components.clock.now())
    // two stages that cannot speak are put apart before a request needs them
    if (report.unreachedPeer !== undefined) this.#suspicions.ofUnreached(placement, peerId, report)
    if (placement.state === before) return
    if (placement.state === 'ready') this.#onReady(placement)
    if (placement.state === 'broken' && report.unreachedPeer === undefined)
      this.#failures.add(peerId, placement.model.manifestSha256, placement.error)
    this.#notify()
  }

  /**
   * Takes in that a node does not answer, though it has not left: its layers go to others, and it gets none for a while.
   * @returns false when the placement cannot do without it
   */
  suspect(peerId: string, placementId: string, why?: string): boolean {
    return this.#suspicions.ofNode(peerId, placementId, why)
  }

  /** Pairs of nodes that are not put beside each other now. */
  bannedLinks(): BannedLink[] {
    return this.#links.list()
  }

  /** Takes in that nothing passes between two nodes that are there. @returns false as {@link suspect} does */
  suspectLink(from: string, to: string, placementId: string): boolean {
    return this.#suspicions.ofLink(from, to, placementId)
  }

  /**
   * Finds the placement that a request for `model` should run on. If there is none, creates one with the requested
   * stages.
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
    if (shortfall !== undefined) return { type: 'error', error: this.#planner.layersMissing(target, shortfall) }
    return planned ? { type: 'loading' } : this.#ask(target)
  }

  /** Whether a placement for requests for `model` is ready, though it may have no free slot. Makes none. */
  isReady(model: PlaceableModel, { stages, pool = this.#targets.general }: RouteConstraints = {}): boolean {
    return this.#serving({ model, pool }, stages)?.state === 'ready'
  }

  /** Whether a placement is on nodes of `pool` only, whatever pool it was made for. */
  fits(placement: Placement, pool: NodePool): boolean {
    return this.#planner.fits(placement, pool)
  }

  /** Whether `model` could not be placed in `pool` at the last try. */
  isUnplaced(model: PlaceableModel, pool: NodePool): boolean {
    return this.#shortfalls.has(keyOf(model, pool))
  }

  /**
   * The plan that the planner would make now if `model` had no placement yet.
   *
   * @param stages default: those of the default placement
   * @throws MeshError `layers_missing`; `invalid_request` when there are more stages than layers
   */
  whatIf(model: PlaceableModel, stages?: 'auto' | number, pool: NodePool = this.#targets.general): PlacementPlan {
    return this.#planner.planAnew({ model, pool }, stages)
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
    this.table.foreign.took(placement)
  }

  /** @returns when to look again, if that is a matter of time */
  #reconcileDefault(target: Target, now: number): number | undefined {
    const { model, pool } = target
    const defaults = this.table.defaults(target)
    if (defaults.some(placement => placement.state === 'loading')) return undefined
    const current = defaults[0]
    if (current === undefined && !this.#isAwaited(target)) return undefined
    const nodes = this.#planner.usableNodes(target)
    const wanted = this.#planner.wantedStages(target)
    if (current !== undefined && (wanted === 'auto' || current.stages.length >= wanted)) return undefined
    const wakeMs = this.#lastJoinMs + this.#init.fewerStagesAfterMs
    const fewer = wanted !== 'auto' && !isServedWhole(model.manifest) && nodes.length < Number(this.#init.stages)
    if (fewer && nodes.length > 0 && now < wakeMs && !this.table.wasBroken(model, pool)) return wakeMs
    const plan = this.#planner.plan(target, wanted)
    const fallback = 'missing' in plan && current === undefined ? this.#planMakingRoom(target, 'auto') : plan
    if (!('missing' in fallback)) {
      this.#create(target, 'default', fallback)
    } else if (current === undefined) {
      this.#shortfalls.set(keyOf(model, pool), fallback)
    }
    return undefined
  }

  /** Places a model on request. @returns why that failed */
  #placeAsked(target: Target): PlacementShortfall | undefined {
    const wanted = this.#planMakingRoom(target, this.#planner.wantedStages(target))
    const plan = 'missing' in wanted ? this.#planMakingRoom(target, 'auto') : wanted
    if (!('missing' in plan)) {
      this.#create(target, 'on-demand', plan)
      return undefined
    }
    if (!target.pool.adHoc) this.#shortfalls.set(keyOf(target.model, target.pool), plan)
    return plan
  }

  #serving({ model, pool }: Target, stages?: number): Placement | undefined {
    return this.table.serving(model, stages, pool, placement => this.fits(placement, pool))
  }

  /** Whether a default placement is still to come. A subcloud needs none while there is another on its nodes. */
  #isAwaited(target: Target): boolean {
    if (this.table.defaults(target).length > 0) return false
    return target.pool === this.#targets.general || this.#serving(target) === undefined
  }

  #ask(target: Target): PlacementChoice {
    this.#targets.ask(target)
    const shortfall = this.#placeAsked(target)
    this.#tellNodes()
    return shortfall === undefined
      ? { type: 'loading' }
      : { type: 'error', error: this.#planner.layersMissing(target, shortfall) }
  }

  #demand(target: Target, stages: number): PlacementChoice {
    const plan = this.#planMakingRoom(target, stages)
    if ('missing' in plan) return { type: 'error', error: this.#planner.layersMissing(target, plan) }
    this.#create(target, 'on-demand', plan)
    this.#tellNodes()
    return { type: 'loading' }
  }

  /** Plans. If there is too little memory, releases as many idle on-demand placements as are needed, if that helps. */
  #planMakingRoom(target: Target, stages: 'auto' | number): PlacementPlan | PlacementShortfall {
    let plan = this.#planner.plan(target, stages)
    if (!('missing' in plan)) return plan
    const idle = this.table.idle()
    const rest = this.table.all().filter(placement => !idle.includes(placement))
    if (idle.length === 0 || 'missing' in this.#planner.plan(target, stages, rest)) return plan
    for (const placement of idle) {
      this.#release(placement, 'its memory is needed')
      plan = this.#planner.plan(target, stages)
      if (!('missing' in plan)) break
    }
    return plan
  }

  /** Gives the layers of a node that is gone to another. A placement that nobody wants any more is not repaired. */
  #repair(broken: Placement): void {
    const { purpose } = broken
    const wanted = purpose === 'default' ? this.#targets.isDefault(broken) : broken.sessionsOpen > 0
    if (this.#standing(broken) !== undefined || !wanted) return
    const plan = this.#planner.repair(broken)
    if (plan !== undefined) this.#create(broken, purpose, plan)
  }

  /** What serves the same as a placement that does not any more. */
  #standing(placement: Placement): Placement | undefined {
    const { purpose, stages } = placement
    return purpose === 'default' ? this.table.defaults(placement)[0] : this.#serving(placement, stages.length)
  }

  #create({ model, pool }: Target, purpose: PlacementPurpose, plan: PlacementPlan): void {
    const { clock, newId } = this.#components
    const placement = new Placement({ id: newId(), model, pool, purpose, plan, nowMs: clock.now() })
    this.table.add(placement)
    this.#shortfalls.delete(keyOf(model, pool))
    this.#created.push(placement)
  }

  /** Tells nodes of placements that are new, and of `ended` ones that they are over. */
  #tellNodes(ended: readonly Placement[] = []): void {
    for (const step of handover(this.#created.splice(0), ended)) {
      const { placement } = step
      if (step.type === 'assign') this.#components.assignments.assign(placement, step.stage)
      else this.#tellRelease(step.peerId, placement, placement.error?.message ?? 'a node of it was lost')
    }
    for (const placement of ended) this.table.remove(placement)
  }

  #tellRelease(peerId: string, { id }: Placement, reason: string): void {
    const { registry, assignments } = this.#components
    if (registry.get(peerId) === undefined) return
    this.#memory.releaseSent(peerId, id)
    assignments.release(peerId, id, reason)
  }

  #onReady(placement: Placement): void {
    const { model, pool } = placement
    this.table.recovered(model, pool)
    for (const stage of placement.stages) this.#failures.forget(stage.peerId, placement.model.manifestSha256)
    if (placement.purpose !== 'default') return
    const replaced = this.table.defaults(placement).filter(other => other !== placement && other.state === 'ready')
    for (const old of replaced) {
      old.drain()
      if (old.sessionsOpen === 0) this.#release(old, 'it was replaced')
    }
  }

  /** A placement with a node that has left its pool takes no more sessions, and ends with its last one. */
  #leavePools(): void {
    for (const placement of this.table.all()) {
      if (!placement.serving || this.fits(placement, placement.pool)) continue
      if (placement.state === 'ready') placement.drain()
      if (placement.sessionsOpen === 0) this.#release(placement, 'its nodes are for others now')
    }
  }

  #releaseUnused(now: number): void {
    for (const placement of this.table.idle()) {
      if (now < placement.lastUsedAtMs + this.#init.onDemandIdleMs) continue
      this.#targets.forget(placement)
      this.#release(placement, 'it was not used')
    }
  }

  #release(placement: Placement, reason: string): void {
    for (const { peerId } of placement.stages) this.#tellRelease(peerId, placement, reason)
    this.table.remove(placement)
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }
}

function later(sinceMs: number | undefined, ms: number): number | undefined {
  return sinceMs === undefined ? undefined : sinceMs + ms
}
