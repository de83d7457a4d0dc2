import type { NodePools, PlacementDirector, ServedModels } from '@resultity/placement'
import type { Places } from './job-queue.ts'

const MODEL_LANE = /^(?:subcloud:([a-z0-9-]+):)?model:(.+)$/s

/** Lane of the jobs that run on a model, in the subcloud that they name: it has places of its own. */
export function modelLane(modelId: string, subcloud?: string): string {
  return `${subcloud === undefined ? '' : `subcloud:${subcloud}:`}model:${modelId}`
}

/** What {@link modelLane} was made of; undefined for other lanes. */
export function ofModelLane(
  lane: string
): { readonly model: string; readonly subcloud: string | undefined } | undefined {
  const [, subcloud, model] = MODEL_LANE.exec(lane) ?? []
  return model === undefined ? undefined : { model, subcloud }
}

/** Lane of jobs that only wait for jobs on models. */
export const GROUP_LANE = 'group'

/** Lane of jobs that may wait for jobs of {@link GROUP_LANE}: on one lane, they could take all places from these. */
export const OUTER_GROUP_LANE = 'group:outer'

/** Lanes of jobs that only wait for others. */
export const GROUP_LANES: readonly string[] = [GROUP_LANE, OUTER_GROUP_LANE]

export interface ModelPlacesComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
  readonly pools: NodePools
}

export interface ModelPlacesInit {
  /** Jobs at once that only wait for others. */
  readonly groupsMax: number
  /** Places of every model, where that is not a matter of slots on nodes. */
  readonly placesMax?: number | undefined
}

/** As many places as a model's ready placements have slots. */
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
    const { models, director, pools } = this.#components
    const model = models.list().find(one => one.id === of.model)?.placeable
    if (model === undefined) return 0
    if (this.#init.placesMax !== undefined) return this.#init.placesMax
    const pool = of.subcloud === undefined ? pools.general : pools.named(of.subcloud)
    const ready = director.book.of(model).filter(one => one.state === 'ready' && director.fits(one, pool)).length
    if (ready > 0) return ready * model.sessionsMax
    // a placement that loads is waited for by requests that hold their place, so that they hear why when it fails
    return director.isUnplaced(model, pool) ? 0 : model.sessionsMax
  }

  /** Jobs that ask several models may name some that are still imported. */
  mayClaim(lane: string): boolean {
    return ofModelLane(lane) !== undefined || this.#components.models.complete
  }

  onChange(listener: () => void): () => void {
    return this.#components.director.onChange(listener)
  }
}
