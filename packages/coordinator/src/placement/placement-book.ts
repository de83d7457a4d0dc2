import { formatRange, type LayerRange, MeshError } from '@resultity/interface'
import type { PlaceableModel } from './placeable-model.ts'
import type { Placement } from './placement.ts'

/** All placements of a coordinator that are not yet released, and what was lost of the last ones. */
export class PlacementBook {
  readonly #placements = new Map<string, Placement>()
  /** Layers that were served until their node left, by model. */
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

  /** The placement that a request for `stages` (undefined: any number) should run on or wait for. */
  serving(model: PlaceableModel, stages?: number): Placement | undefined {
    const candidates = this.of(model)
      .filter(placement => placement.serving && (stages === undefined || placement.stages.length === stages))
      .toSorted((a, b) => rank(a) - rank(b))
    return candidates[0]
  }

  /** Breaks every placement that the node had a part in, and returns them. */
  nodeLeft(peerId: string, reason: string): Placement[] {
    const touched = this.all().filter(one => one.stageOn(peerId) !== undefined && one.state !== 'broken')
    for (const placement of touched) {
      placement.break(peerId, new MeshError('node_lost', reason))
      this.#remember(placement, peerId)
    }
    return touched
  }

  /** Forgets a placement and marks it released. */
  remove(placement: Placement): void {
    placement.release()
    this.#placements.delete(placement.id)
  }

  /** Layers of `model` that stopped being served, as far as their nodes have not come back. */
  lostRanges(model: PlaceableModel, isHere: (peerId: string) => boolean): LayerRange[] {
    return (this.#lost.get(model.manifestSha256) ?? []).filter(one => !isHere(one.peerId)).map(one => one.range)
  }

  /** True once `model` was placed and lost a node: waiting for a better moment is over. */
  wasBroken(model: PlaceableModel): boolean {
    return this.#lost.has(model.manifestSha256)
  }

  /** A placement of `model` is ready: nothing counts as lost any more. */
  recovered(model: PlaceableModel): void {
    this.#lost.delete(model.manifestSha256)
  }

  #remember(placement: Placement, peerId: string): void {
    const stage = placement.stageOn(peerId)
    if (stage === undefined) return
    const key = placement.model.manifestSha256
    const others = (this.#lost.get(key) ?? []).filter(one => formatRange(one.range) !== formatRange(stage.range))
    // one entry per layer at most, whatever the history
    this.#lost.set(key, [...others, { peerId, range: stage.range }].slice(-placement.model.manifest.config.layerCount))
  }
}

/** A free slot before a busy placement before a loading one; the default before one made for somebody's request. */
function rank(placement: Placement): number {
  const state = placement.state === 'loading' ? 4 : placement.hasFreeSlot ? 0 : 2
  return state + (placement.purpose === 'default' ? 0 : 1)
}
