import type { PlacementDirector } from '../placement/placement-director.ts'
import type { ServedModels } from '../served-models.ts'
import type { Places } from './job-queue.ts'

const MODEL = 'model:'

/** Lane of the jobs that run on a model. */
export function modelLane(modelId: string): string {
  return `${MODEL}${modelId}`
}

/** The model that jobs of a lane run on; null where they only wait for others. */
export function modelOfLane(lane: string): string | null {
  return lane.startsWith(MODEL) ? lane.slice(MODEL.length) : null
}

/** Lane of jobs that only wait for jobs on models. */
export const GROUP_LANE = 'group'

/** Lane of jobs that may wait for jobs of {@link GROUP_LANE}: on one lane, they could take all places from these. */
export const OUTER_GROUP_LANE = 'group:outer'

export function isGroupLane(lane: string): boolean {
  return lane === GROUP_LANE || lane === OUTER_GROUP_LANE
}

export interface ModelPlacesComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
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
    if (!lane.startsWith(MODEL)) return this.#init.groupsMax
    if (this.#init.placesMax !== undefined) return this.#init.placesMax
    const { models, director } = this.#components
    const model = models.list().find(one => modelLane(one.id) === lane)?.placeable
    if (model === undefined) return 0
    const ready = director.book.of(model).filter(placement => placement.state === 'ready').length
    if (ready > 0) return ready * model.sessionsMax
    // a placement that loads is waited for by requests that hold their place, so that they hear why when it fails
    return director.choose(model).type === 'error' ? 0 : model.sessionsMax
  }

  onChange(listener: () => void): () => void {
    return this.#components.director.onChange(listener)
  }
}
