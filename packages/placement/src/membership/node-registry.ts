import { type Advert, type Clock, MeshError } from '@resultity/interface'
import { addressesBetween, type SeenPeer } from '@resultity/mesh'

/** A node that is here now. */
export interface NodeRecord {
  readonly peerId: string
  readonly advert: Advert
  /** Where it is connected from. */
  readonly from: SeenPeer
  /** Unix milliseconds. */
  readonly joinedAtMs: number
  readonly lastSeenMs: number
  /** When the advert ends, by this machine's clock: clocks of other machines may differ. */
  readonly advertEndsMs: number
}

export type NodeChange =
  | { readonly type: 'joined'; readonly node: NodeRecord }
  | { readonly type: 'updated'; readonly node: NodeRecord }
  | { readonly type: 'left'; readonly node: NodeRecord; readonly reason: string }

export interface NodeRegistryInit {
  readonly nodesMax: number
  /** A node that was silent for longer is gone. */
  readonly silenceMaxMs: number
}

const THIS_MACHINE: SeenPeer = { scope: 'this_machine', ip: undefined }

/**
 * Which nodes are here, from their messages and the time of each.
 *
 * A node is here from its Hello until it says Goodbye, its stream ends, it is silent for too long, or its advert
 * expires, whichever comes first. Listeners hear of each change once, in order.
 */
export class NodeRegistry {
  readonly #nodes = new Map<string, NodeRecord>()
  readonly #listeners = new Set<(change: NodeChange) => void>()
  readonly #clock: Clock
  readonly #init: NodeRegistryInit

  constructor(clock: Clock, init: NodeRegistryInit) {
    this.#clock = clock
    this.#init = init
  }

  /**
   * Admits a node. A node that is already here has restarted: its state is gone, so it leaves first.
   * @throws MeshError `resource_exhausted` when there is room for no more nodes
   */
  join(advert: Advert, from: SeenPeer = THIS_MACHINE): NodeRecord {
    this.leave(advert.peerId, 'it joined anew')
    if (this.#nodes.size >= this.#init.nodesMax) {
      throw new MeshError('resource_exhausted', `this coordinator has its ${this.#init.nodesMax} nodes`, {
        hint: 'Join another coordinator, or raise the limit on nodes.'
      })
    }
    const now = this.#clock.now()
    const advertEndsMs = endOf(advert, now)
    const node = { peerId: advert.peerId, advert, from, joinedAtMs: now, lastSeenMs: now, advertEndsMs }
    this.#nodes.set(node.peerId, node)
    this.#notify({ type: 'joined', node })
    return node
  }

  /** A sign of life. Unknown peers are ignored: their stream is ending. */
  seen(peerId: string, advert?: Advert): void {
    const before = this.#nodes.get(peerId)
    if (before === undefined) return
    const lastSeenMs = this.#clock.now()
    const fresh = advert === undefined ? {} : { advert, advertEndsMs: endOf(advert, lastSeenMs) }
    const node = { ...before, lastSeenMs, ...fresh }
    this.#nodes.set(peerId, node)
    if (advert !== undefined) this.#notify({ type: 'updated', node })
  }

  leave(peerId: string, reason: string): void {
    const node = this.#nodes.get(peerId)
    if (node === undefined) return
    this.#nodes.delete(peerId)
    this.#notify({ type: 'left', node, reason })
  }

  /** Removes silent and expired nodes. Call it at least once in a heartbeat interval. */
  prune(): void {
    const now = this.#clock.now()
    for (const node of this.#nodes.values()) {
      const silentMs = now - node.lastSeenMs
      if (silentMs > this.#init.silenceMaxMs) this.leave(node.peerId, `it was silent for ${silentMs} ms`)
      else if (node.advertEndsMs <= now) this.leave(node.peerId, 'its advert expired')
    }
  }

  get(peerId: string): NodeRecord | undefined {
    return this.#nodes.get(peerId)
  }

  /** The addresses at which a node says it can be dialled: those that the node `forPeer` can use, or all of them. */
  addressesOf(peerId: string, forPeer?: string): readonly string[] {
    const node = this.#nodes.get(peerId)
    const other = forPeer === undefined ? node : this.#nodes.get(forPeer)
    if (node === undefined || other === undefined) return []
    return addressesBetween(node.advert.multiaddrs, node.from, other.from)
  }

  /** All nodes, by peer id. */
  list(): NodeRecord[] {
    return [...this.#nodes.values()].toSorted((a, b) => (a.peerId < b.peerId ? -1 : 1))
  }

  /** @returns stops listening */
  onChange(listener: (change: NodeChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #notify(change: NodeChange): void {
    for (const listener of this.#listeners) listener(change)
  }
}

/** Its whole time to live, counted from its arrival. */
function endOf(advert: Advert, nowMs: number): number {
  return nowMs + advert.expiresAtMs - advert.issuedAtMs
}
