import { MeshError } from '@resultity/interface'

/**
 * Counts nodes that were lost while they had one job, over all its attempts and routes, and it got no further meanwhile. A job
 * that loses one after the other in the same place may be what ends them, and is not carried to the next. One that gets on
 * between its losses is on a mesh whose nodes come and go.
 */
export class NodeLosses {
  readonly #max: number
  /** Lost nodes of this attempt, by node and placement: choices made in parallel lose the same node, and it may come back. */
  readonly #lost = new Set<string>()
  #count: number
  #gotFurther = false

  /** @param before of earlier attempts */
  constructor(max: number, before: number) {
    this.#max = max
    this.#count = before
  }

  get count(): number {
    return this.#count
  }

  /** The job has a new token, or another part of its result that it keeps. */
  gotFurther(): void {
    this.#gotFurther = true
  }

  /**
   * Counts a lost node, if `error` says that one was lost. A node that could not be reached, or refused the job, never had it.
   * @returns `error`, or another error to report once too many were lost
   */
  told(error: unknown): unknown {
    if (!(error instanceof MeshError) || error.code !== 'node_lost') return error
    const { peerId, placementId, link, unreached, refused } = error.details
    // of a link its nodes are there
    if (link !== undefined || unreached === true || refused === true) return error
    const lost = `${peerId} ${placementId}`
    if (!this.#lost.has(lost) && !this.#gotFurther) this.#count++
    if (!this.#lost.has(lost)) this.#gotFurther = false
    this.#lost.add(lost)
    if (this.count < this.#max) return error
    return new MeshError(
      'nodes_lost_too_often',
      `${this.count} nodes were lost while they had this request, which got no further`,
      {
        hint: `It may be what ended them. The last error: ${error.message}`,
        cause: error
      }
    )
  }
}
