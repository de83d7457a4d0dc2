import type { NodeRecord } from '../membership/node-registry.ts'
import type { Placement } from './placement.ts'

/** What is needed of the placements that there are. */
export interface OwnSessions {
  get(placementId: string): Placement | undefined
  /** Sessions of this coordinator on the stage that a placement has on a node. */
  sessionsOn(placement: Placement, peerId: string): number
}

/**
 * Sessions that other coordinators have on stages of this one's placements: the slots of a stage are the node's to give, and
 * its advert says how many are taken.
 *
 * An advert is some moments old: a session of ours that has just ended may be in it. So it is compared with the most that
 * we had since the one before.
 */
export class ForeignSessions {
  readonly #own: OwnSessions
  /** By node and placement. */
  readonly #open = new Map<string, number>()
  readonly #ownMax = new Map<string, number>()

  constructor(own: OwnSessions) {
    this.#own = own
  }

  on(peerId: string, placementId: string): number {
    return this.#open.get(keyOf(peerId, placementId)) ?? 0
  }

  /** Takes in an advert. @returns whether others have fewer slots than before */
  note({ peerId, advert }: Pick<NodeRecord, 'peerId' | 'advert'>): boolean {
    let fewer = false
    for (const { placementId, sessionsOpen } of advert.stages) {
      const placement = this.#own.get(placementId)
      if (placement === undefined) continue
      const key = keyOf(peerId, placementId)
      const own = this.#own.sessionsOn(placement, peerId)
      const foreign = Math.max(0, sessionsOpen - Math.max(own, this.#ownMax.get(key) ?? 0))
      fewer ||= foreign < (this.#open.get(key) ?? 0)
      this.#open.set(key, foreign)
      this.#ownMax.set(key, own)
    }
    return fewer
  }

  /** One more session of ours opens on a placement. */
  took(placement: Placement): void {
    for (const { peerId } of placement.stages) {
      const key = keyOf(peerId, placement.id)
      const own = this.#own.sessionsOn(placement, peerId)
      if (own > (this.#ownMax.get(key) ?? 0)) this.#ownMax.set(key, own)
    }
  }

  forget({ id, stages }: Placement): void {
    for (const { peerId } of stages) {
      this.#open.delete(keyOf(peerId, id))
      this.#ownMax.delete(keyOf(peerId, id))
    }
  }
}

function keyOf(peerId: string, placementId: string): string {
  return `${peerId} ${placementId}`
}
