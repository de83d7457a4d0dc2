import type { NodePool, NodePools, PlacementDirector, ServedModels } from '@resultity/placement'
import { ofModelLane } from '@resultity/store'
import type { Places } from './job-queue.ts'

export interface ModelPlacesComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
  readonly pools: NodePools
  /** Models that nodes have of servers beside them. */
  readonly offered: {
    places(model: string, pool: NodePool): number
    /** @returns stops listening */
    onChange(listener: () => void): () => void
  }
}

export interface ModelPlacesInit {
  /** Jobs at once that only wait for others. */
  readonly groupsMax: number
  /** Places of every model, where that is not a matter of slots on nodes. */
  readonly placesMax?: number | undefined
}

/** As many places as a model's ready placements have slots, or as its nodes pass on at once. */
export class ModelPlaces implements Places {
  readonly #components: ModelPlacesComponents
  readonly #init: ModelPlacesInit

  constructor(components: ModelPlacesComponents, init: ModelPlacesInit) {
    this.#components = components
    this.#init = init
  }

  places(lane: string): number {
    const of = ofModelLane(lane)
    if (of === undefined) return this.#init.groupsMax
    const { models, director, pools, offered } = this.#components
    const model = models.list().find(one => one.id === of.model)?.placeable
    const pool = of.subcloud === undefined ? pools.general : pools.named(of.subcloud)
    if (model === undefined) return offered.places(of.model, pool)
    if (this.#init.placesMax !== undefined) return this.#init.placesMax
    const ready = director.table.of(model).filter(one => one.state === 'ready' && director.fits(one, pool)).length
    if (ready > 0) return ready * model.sessionsMax
    // a placement that loads is waited for by requests that hold their place, so that they hear why when it fails
    return director.isUnplaced(model, pool) ? 0 : model.sessionsMax
  }

  /** Jobs that ask several models may name some that are still imported. */
  mayClaim(lane: string): boolean {
    return ofModelLane(lane) !== undefined || this.#components.models.complete
  }

  onChange(listener: () => void): () => void {
    const { director, offered } = this.#components
    const stops = [director.onChange(listener), offered.onChange(listener)]
    return () => {
      for (const stop of stops) stop()
    }
  }
}
