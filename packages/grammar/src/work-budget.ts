import { MeshError } from '@resultity/interface'
import { PLACE_CHARACTERS_MAX } from './limits.ts'

/** What a budget bounds; `bytes` of what is made and kept. */
export interface WorkLimits {
  /** Units of work, each a fraction of a microsecond. */
  readonly steps: number
  readonly bytes?: number
}

/**
 * Counts the work of a walk whose length somebody else decides, and breaks it off when there is too much of it.
 */
export class WorkBudget {
  /** What is being worked at, as an error names it: a place in a schema. */
  place: string
  readonly #limits: WorkLimits
  #steps = 0
  #bytes = 0

  constructor(place: string, limits: WorkLimits) {
    this.place = place
    this.#limits = limits
  }

  /** Steps so far. */
  get spent(): number {
    return this.#steps
  }

  /** @throws MeshError `invalid_request` naming the place, once there were more steps than the budget has */
  spend(steps: number): void {
    this.#steps += steps
    if (this.#steps > this.#limits.steps) throw this.refusal(`takes more than ${this.#limits.steps} steps of work`)
  }

  /** @throws MeshError `invalid_request` naming the place, once there were more bytes than the budget has */
  keep(bytes: number): void {
    this.#bytes += bytes
    const { bytes: bytesMax = Number.POSITIVE_INFINITY } = this.#limits
    if (this.#bytes > bytesMax) throw this.refusal(`takes more than ${bytesMax} bytes of memory`)
  }

  /** The error for too much of something at the place that is worked at. */
  refusal(problem: string): MeshError {
    const place = shortPlace(this.place)
    return new MeshError('invalid_request', `${place} ${problem}`, {
      hint: 'Make the schema smaller: fewer alternatives, shorter names and lists, no counts within counts in a pattern.',
      details: { param: place, ...this.#limits }
    })
  }
}

/** A place in a schema, cut where it is long: names in it are the client's. */
export function shortPlace(place: string): string {
  return place.length <= PLACE_CHARACTERS_MAX ? place : `${place.slice(0, PLACE_CHARACTERS_MAX)}…`
}
