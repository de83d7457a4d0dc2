import { MeshError } from '@resultity/interface'

/**
 * Counts nodes that were lost while they had one job, over all its attempts and routes. A job that loses one after the other
 * may be what ends them, and is not carried to the next.
 */
export class NodeLosses {
  readonly #max: number
  readonly #before: number
  /** Of this attempt, by node and placement: choices beside each other lose the same node, and it may come back. */
  readonly #lost = new Set<string>()

  /** @param before of earlier attempts */
  constructor(max: number, before: number) {
    this.#max = max
    this.#before = before
  }

  get count(): number {
    return this.#before + this.#lost.size
  }

  /**
   * Counts the node that was lost, if `error` says so. One that could not be reached never had the job.
   * @returns `error`, or what to tell instead once there were too many
   */
  told(error: unknown): unknown {
    if (!(error instanceof MeshError) || error.code !== 'node_lost' || error.details.unreached === true) return error
    const { peerId, placementId } = error.details
    this.#lost.add(`${peerId} ${placementId}`)
    if (this.count < this.#max) return error
    return new MeshError('nodes_lost_too_often', `${this.count} nodes were lost while they had this request`, {
      hint: `It may be what ended them. The last error: ${error.message}`,
      cause: error
    })
  }
}
