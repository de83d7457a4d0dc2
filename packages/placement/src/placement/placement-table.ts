import { formatRange, isServedWhole, type LayerRange, MeshError } from '@resultity/interface'
import { ForeignSessions } from './foreign-sessions.ts'
import type { NodePool } from './node-pool.ts'
import type { PlaceableModel } from './placeable-model.ts'
import type { Placement } from './placement.ts'

/** All placements of a coordinator that are not yet released, and the layers that were lost with the last ones. */
export class PlacementTable {
  readonly #placements = new Map<string, Placement>()
  /** What other coordinators have open on the same stages. */
  readonly foreign = new ForeignSessions(this)
  /** Layers that were served until their node left, by model and pool. */
  readonly #lost = new Map<string, { readonly peerId: string; readonly range: LayerRange }[]>()

  add(placement: Placement): void {
    this.#placements.set(placement.id, placement)
  }

  get(id: string): Placement | undefined {
    return this.#placements.get(id)
  }

  all(): Placement[] {
    return [...this.#placements.values()]
  }

  of(model: PlaceableModel): Placement[] {
    return this.all().filter(placement => placement.model.manifestSha256 === model.manifestSha256)
  }

  /** What is kept for `model` in `pool`. */
  defaults({ model, pool }: { readonly model: PlaceableModel; readonly pool: NodePool }): Placement[] {
    return this.of(model).filter(one => one.purpose === 'default' && one.pool.key === pool.key && one.serving)
  }

  /** The longest silence of a placement that still loads began then. */
  get silentSinceMs(): number | undefined {
    const loading = this.all().filter(placement => placement.state === 'loading')
    return loading.length === 0 ? undefined : Math.min(...loading.map(placement => placement.lastReportMs))
  }

  /**
   * The placement that a request should run on or wait for.
   *
   * @param stages undefined: any number
   * @param fits whether a placement is on nodes of the pool
   */
  serving(
    model: PlaceableModel,
    stages: number | undefined,
    pool: NodePool,
    fits: (placement: Placement) => boolean
  ): Placement | undefined {
    const candidates = this.of(model)
      .filter(one => one.serving && (stages === undefined || one.stages.length === stages) && fits(one))
      .map(placement => ({ placement, order: orderOf(placement, this.hasFreeSlot(placement), pool) }))
      .toSorted(
        (a, b) => a.order.readiness - b.order.readiness || a.order.load - b.order.load || a.order.rank - b.order.rank
      )
    return candidates[0]?.placement
  }

  /**
   * Whether one more session may open on a placement, as far as is known here. Placements that ask a node for the same layers
   * share one stage there and its slots: a placement that replaces another finds the last sessions of that one on it.
   */
  hasFreeSlot(placement: Placement): boolean {
    if (!placement.hasFreeSlot) return false
    return placement.stages.every(
      ({ peerId }) =>
        this.sessionsOn(placement, peerId) + this.foreign.on(peerId, placement.id) < placement.model.sessionsMax
    )
  }

  /** Sessions of this coordinator on the stage that a placement has on a node, and may share with others there. */
  sessionsOn(placement: Placement, peerId: string): number {
    const range = placement.stageOn(peerId)?.range
    if (range === undefined) return 0
    const others = this.of(placement.model).filter(other => other !== placement && other.sessionsOpen > 0)
    const sharing = others.filter(other => isSame(other.stageOn(peerId)?.range, range))
    return sharing.reduce((sum, { sessionsOpen }) => sum + sessionsOpen, placement.sessionsOpen)
  }

  /** Placements that could go, the longest unused first. */
  idle(): Placement[] {
    return this.all()
      .filter(placement => placement.idle)
      .toSorted((a, b) => a.lastUsedAtMs - b.lastUsedAtMs)
  }

  /** Breaks every placement that the node had a part in, and returns them. */
  nodeLeft(peerId: string, reason: string): Placement[] {
    const touched = this.all().filter(one => one.stageOn(peerId) !== undefined && one.state !== 'broken')
    for (const placement of touched) this.lose(placement, peerId, reason)
    return touched
  }

  /** Breaks a placement that has lost this node. */
  lose(placement: Placement, peerId: string, reason: string): void {
    placement.break(peerId, new MeshError('node_lost', reason))
    this.#remember(placement, peerId)
  }

  /** Forgets a placement and marks it released. */
  remove(placement: Placement): void {
    placement.release()
    this.foreign.forget(placement)
    this.#placements.delete(placement.id)
  }

  /** Layers of `model` that stopped being served and whose nodes have not come back. */
  lostRanges(model: PlaceableModel, pool: NodePool, isHere: (peerId: string) => boolean): LayerRange[] {
    return (this.#lost.get(keyOf(model, pool)) ?? []).filter(one => !isHere(one.peerId)).map(one => one.range)
  }

  /** True once `model` was placed and lost a node: waiting for a better moment is over. */
  wasBroken(model: PlaceableModel, pool: NodePool): boolean {
    return this.#lost.has(keyOf(model, pool))
  }

  /** Called when a placement of `model` is ready: none of its layers count as lost any more. */
  recovered(model: PlaceableModel, pool: NodePool): void {
    this.#lost.delete(keyOf(model, pool))
  }

  #remember(placement: Placement, peerId: string): void {
    const stage = placement.stageOn(peerId)
    // of pools that requests make up there is no end
    if (stage === undefined || placement.pool.adHoc) return
    const key = keyOf(placement.model, placement.pool)
    const others = (this.#lost.get(key) ?? []).filter(one => formatRange(one.range) !== formatRange(stage.range))
    // one entry per layer at most, whatever the history
    this.#lost.set(key, [...others, { peerId, range: stage.range }].slice(-placement.model.manifest.layers.length))
  }
}

/** Identifies a model in a pool. */
export function keyOf(model: PlaceableModel, pool: NodePool): string {
  return `${model.manifestSha256} ${pool.key}`
}

/**
 * Order of preference: a free slot, then a busy placement, then a loading one; of a model that is served whole the one
 * with the fewest jobs, so that nodes share them; the pool's own placement before another on its nodes; the default
 * before one made for a request.
 */
function orderOf(
  placement: Placement,
  free: boolean,
  pool: NodePool
): { readonly readiness: number; readonly load: number; readonly rank: number } {
  const { state, sessionsOpen, model, purpose } = placement
  return {
    readiness: state === 'loading' ? 2 : free ? 0 : 1,
    load: isServedWhole(model.manifest) ? sessionsOpen : 0,
    rank: (placement.pool.key === pool.key ? 0 : 2) + (purpose === 'default' ? 0 : 1)
  }
}

function isSame(one: LayerRange | undefined, other: LayerRange): boolean {
  return one?.first === other.first && one.end === other.end
}
