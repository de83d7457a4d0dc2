import { type Clock, formatRange, isEncoder, layerCount, MeshError } from '@resultity/interface'
import { type PlacementPlan, type PlacementShortfall, planPlacement } from '@resultity/planner'
import type { NodeChange, NodeRecord, NodeRegistry } from '../membership/node-registry.ts'
import { HOP_MS } from '../settings.ts'
import { FailureLog } from './failure-log.ts'
import { estimateNode } from './node-estimate.ts'
import { NodeMemory } from './node-memory.ts'
import { type PlaceableModel, shapeOf } from './placeable-model.ts'
import { type PlacedStage, Placement, type PlacementPurpose, type StageReport } from './placement.ts'
import { PlacementBook } from './placement-book.ts'

/** What the director wants a node told. */
export interface PlacementOrders {
  assign(placement: Placement, stage: PlacedStage): void
  release(peerId: string, placementId: string, reason: string): void
}

export interface PlacementDirectorComponents {
  readonly registry: NodeRegistry
  readonly orders: PlacementOrders
  readonly clock: Clock
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
 * nodes allow. When a node of a placement is lost, the placement is broken at once; the next `reconcile` tells its
 * other nodes to release it and plans the model anew.
 */
export class PlacementDirector {
  readonly book = new PlacementBook()
  readonly #components: PlacementDirectorComponents
  readonly #init: PlacementDirectorInit
  readonly #models: PlaceableModel[] = []
  readonly #failures: FailureLog
  readonly #shortfalls = new Map<string, PlacementShortfall>()
  readonly #memory = new NodeMemory(this.book)
  readonly #listeners = new Set<() => void>()
  #lastJoinMs = 0

  constructor(components: PlacementDirectorComponents, init: PlacementDirectorInit) {
    this.#components = components
    this.#init = init
    this.#failures = new FailureLog(components.clock, init.assignmentRetryMs)
  }

  get models(): readonly PlaceableModel[] {
    return this.#models
  }

  /** Serves one more model from now on. */
  addModel(model: PlaceableModel): void {
    this.#models.push(model)
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
    this.#releaseEnded(now)
    const wakes = this.#models.map(model => this.#reconcileDefault(model, now))
    this.#tell()
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
      this.book.nodeLeft(peerId, change.reason)
      return
    }
    if (change.type === 'joined') {
      this.#lastJoinMs = this.#components.clock.now()
      // what could not be placed may be placed now: requests wait for the next try
      this.#shortfalls.clear()
    }
    this.#memory.note(change.node)
  }

  /** Takes in a node's report on what it was assigned. */
  report(peerId: string, placementId: string, report: StageReport): void {
    if (report.state === 'released') this.#memory.releaseConfirmed(peerId, placementId)
    const placement = this.book.get(placementId)
    if (placement === undefined) return
    const before = placement.state
    placement.report(peerId, report, this.#components.clock.now())
    if (placement.state === before) return
    if (placement.state === 'ready') this.#onReady(placement)
    if (placement.state === 'broken') this.#failures.add(peerId, placement.model.manifestSha256, placement.error)
    this.#tell()
  }

  /**
   * Finds what a request for `model` should run on; makes a placement of `stages` stages when there is none.
   * @throws MeshError `invalid_request` when there are more stages than layers
   */
  choose(model: PlaceableModel, stages?: number): PlacementChoice {
    if (stages !== undefined) refuseMoreStagesThanLayers(model, stages, 'mesh.stages')
    const found = this.book.serving(model, stages)
    if (found?.hasFreeSlot) return { type: 'ready', placement: found }
    if (found !== undefined) return { type: found.state === 'loading' ? 'loading' : 'busy' }
    // the default placement comes first; it may turn out to have as many stages as are asked for
    const shortfall = this.#shortfalls.get(model.manifestSha256)
    if (shortfall === undefined && !this.#hasDefault(model)) return { type: 'loading' }
    if (stages !== undefined) return this.#demand(model, stages)
    return shortfall === undefined
      ? { type: 'loading' }
      : { type: 'error', error: this.#layersMissing(model, shortfall) }
  }

  /**
   * What the planner would do now if `model` had no placement yet.
   *
   * @param stages as the default placement's when it is left out
   * @throws MeshError `layers_missing`; `invalid_request` when there are more stages than layers
   */
  whatIf(model: PlaceableModel, stages?: 'auto' | number): PlacementPlan {
    const others = this.book.all().filter(placement => placement.model !== model)
    if (typeof stages === 'number') refuseMoreStagesThanLayers(model, stages, 'stages')
    const wanted = stages ?? this.#wantedStages(model, this.#usableNodes(model).length)
    const plan = this.#plan(model, wanted, others)
    if ('missing' in plan) throw this.#layersMissing(model, plan)
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
    this.#tell()
  }

  takeSlot(placement: Placement): void {
    placement.takeSlot(this.#components.clock.now())
  }

  /** @returns when to look again, if that is a matter of time */
  #reconcileDefault(model: PlaceableModel, now: number): number | undefined {
    const defaults = this.book.of(model).filter(placement => placement.purpose === 'default' && placement.serving)
    if (defaults.some(placement => placement.state === 'loading')) return undefined
    const current = defaults[0]
    const nodes = this.#usableNodes(model)
    const wanted = this.#wantedStages(model, nodes.length)
    if (current !== undefined && (wanted === 'auto' || current.stages.length >= wanted)) return undefined
    const wakeMs = this.#lastJoinMs + this.#init.fewerStagesAfterMs
    const fewer = wanted !== 'auto' && !isEncoder(model.manifest) && nodes.length < Number(this.#init.stages)
    if (fewer && nodes.length > 0 && now < wakeMs && !this.book.wasBroken(model)) return wakeMs
    const plan = this.#plan(model, wanted)
    const fallback = 'missing' in plan && current === undefined ? this.#planMakingRoom(model, 'auto') : plan
    if (!('missing' in fallback)) {
      this.#create(model, 'default', fallback)
    } else if (current === undefined) {
      this.#shortfalls.set(model.manifestSha256, fallback)
    }
    return undefined
  }

  #wantedStages(model: PlaceableModel, nodeCount: number): 'auto' | number {
    if (isEncoder(model.manifest)) return 1
    if (this.#init.stages === 'auto') return 'auto'
    return Math.max(1, Math.min(this.#init.stages, nodeCount, model.manifest.config.layerCount))
  }

  #hasDefault(model: PlaceableModel): boolean {
    return this.book.of(model).some(placement => placement.purpose === 'default' && placement.serving)
  }

  #demand(model: PlaceableModel, stages: number): PlacementChoice {
    const plan = this.#planMakingRoom(model, stages)
    if ('missing' in plan) return { type: 'error', error: this.#layersMissing(model, plan) }
    this.#create(model, 'on-demand', plan)
    return { type: 'loading' }
  }

  /** Plans; if that fails for lack of memory, releases idle on-demand placements, as many as it takes and if it helps. */
  #planMakingRoom(model: PlaceableModel, stages: 'auto' | number): PlacementPlan | PlacementShortfall {
    let plan = this.#plan(model, stages)
    if (!('missing' in plan)) return plan
    const idle = this.#idleOnDemand()
    const rest = this.book.all().filter(placement => !idle.includes(placement))
    if (idle.length === 0 || 'missing' in this.#plan(model, stages, rest)) return plan
    for (const placement of idle) {
      this.#release(placement, 'its memory is needed')
      plan = this.#plan(model, stages)
      if (!('missing' in plan)) break
    }
    return plan
  }

  #plan(
    model: PlaceableModel,
    stages: 'auto' | number,
    placements = this.book.all()
  ): PlacementPlan | PlacementShortfall {
    const nodes = this.#usableNodes(model).map(node =>
      estimateNode(node, model, placements, this.#memory.foreignBytes(node.peerId))
    )
    // an encoder is served whole
    const count = isEncoder(model.manifest) ? 1 : stages
    return planPlacement({ model: shapeOf(model), nodes, stages: count, hopMs: HOP_MS })
  }

  #usableNodes(model: PlaceableModel): NodeRecord[] {
    const nodes = this.#components.registry.list()
    return nodes.filter(node => !this.#failures.excludes(node.peerId, model.manifestSha256))
  }

  #create(model: PlaceableModel, purpose: PlacementPurpose, plan: PlacementPlan): void {
    const { clock, orders, newId } = this.#components
    const placement = new Placement({ id: newId(), model, purpose, plan, nowMs: clock.now() })
    this.book.add(placement)
    this.#shortfalls.delete(model.manifestSha256)
    for (const stage of placement.stages) orders.assign(placement, stage)
  }

  #onReady(placement: Placement): void {
    this.book.recovered(placement.model)
    for (const stage of placement.stages) this.#failures.forget(stage.peerId, placement.model.manifestSha256)
    if (placement.purpose !== 'default') return
    const replaced = this.book
      .of(placement.model)
      .filter(other => other !== placement && other.purpose === 'default' && other.state === 'ready')
    for (const old of replaced) {
      old.drain()
      if (old.sessionsOpen === 0) this.#release(old, 'it was replaced')
    }
  }

  /** A node that neither serves nor says how far it is would keep its placement loading for ever. */
  #giveUpSilent(now: number): void {
    for (const placement of this.book.all()) {
      const silent = placement.silentStage(now - this.#init.assignmentSilenceMs)
      if (silent === undefined) continue
      const what = `it did not say for ${this.#init.assignmentSilenceMs} ms how its assignment goes`
      placement.break(silent.peerId, new MeshError('deadline_exceeded', what))
      this.#failures.add(silent.peerId, placement.model.manifestSha256, placement.error)
    }
  }

  #nextSilentMs(): number | undefined {
    const loading = this.book.all().filter(placement => placement.state === 'loading')
    if (loading.length === 0) return undefined
    return Math.min(...loading.map(placement => placement.lastReportMs)) + this.#init.assignmentSilenceMs
  }

  #releaseEnded(now: number): void {
    for (const placement of this.book.all()) {
      if (placement.state === 'broken') this.#release(placement, placement.error?.message ?? 'a node of it was lost')
      else if (this.#isIdle(placement) && now >= placement.lastUsedAtMs + this.#init.onDemandIdleMs) {
        this.#release(placement, 'it was not used')
      }
    }
  }

  #release(placement: Placement, reason: string): void {
    for (const { peerId } of placement.stages) {
      if (this.#components.registry.get(peerId) === undefined) continue
      this.#memory.releaseSent(peerId, placement.id)
      this.#components.orders.release(peerId, placement.id, reason)
    }
    this.book.remove(placement)
  }

  /** On-demand placements that nobody uses, the longest unused first. */
  #idleOnDemand(): Placement[] {
    const idle = this.book.all().filter(placement => this.#isIdle(placement))
    return idle.toSorted((a, b) => a.lastUsedAtMs - b.lastUsedAtMs)
  }

  #isIdle(placement: Placement): boolean {
    return placement.purpose === 'on-demand' && placement.state === 'ready' && placement.sessionsOpen === 0
  }

  #nextIdleMs(): number | undefined {
    const first = this.#idleOnDemand()[0]
    return first === undefined ? undefined : first.lastUsedAtMs + this.#init.onDemandIdleMs
  }

  #layersMissing(model: PlaceableModel, shortfall: PlacementShortfall): MeshError {
    const lost = this.book.lostRanges(model, peerId => this.#components.registry.get(peerId) !== undefined)
    const missing = lost.length > 0 ? lost : shortfall.missing
    const layers = missing.toSorted((a, b) => a.first - b.first).map(formatRange)
    const failure = this.#failures.latest(model.manifestSha256)
    const what =
      layers.length > 0 ? `layers ${layers.join(' ')} of ${model.name} have no node` : `no route for ${model.name}`
    const noneUsable = failure !== undefined && this.#usableNodes(model).length === 0
    const why = [noneUsable ? undefined : shortfall.reason, failure?.message]
      .filter(one => one !== undefined)
      .join('; ')
    return new MeshError('layers_missing', `${what}: ${why}`, {
      hint: 'Start more nodes, or nodes that offer more memory, and try again.',
      details: { missing, layersShort: missing.reduce((sum, range) => sum + layerCount(range), 0) }
    })
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

function refuseMoreStagesThanLayers(model: PlaceableModel, stages: number, param: string): void {
  if (isEncoder(model.manifest) && stages > 1) {
    throw new MeshError('invalid_request', `${param} is ${stages} and ${model.name} is an encoder, which is not cut`, {
      hint: 'Ask for 1 stage, or leave it out.',
      details: { param }
    })
  }
  const layers = model.manifest.config.layerCount
  if (stages <= layers) return
  throw new MeshError('invalid_request', `${param} is ${stages} and ${model.name} has ${layers} layers`, {
    hint: `Ask for at most ${layers} stages.`,
    details: { param }
  })
}
