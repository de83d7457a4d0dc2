import { type Advert, type Clock, MeshError } from '@resultity/interface'
import type { AssignmentUpdate, ByteStream, CoordinatorMessage } from '@resultity/wire'
import { MemberLink, type MemberLinkHandlers, type MemberLinkInit } from './member-link.ts'
import type { NodeRegistry } from './node-registry.ts'

export interface MembershipComponents {
  readonly registry: NodeRegistry
  /** What adverts of other machines are compared with. */
  readonly clock: Clock
  /** Does not jump when the other one is set. */
  readonly steady: Clock
  /** Checks signature, domain, time to live, sequence and schema. */
  openAdvert(
    sealed: Uint8Array,
    expected: { now: number; lastSequence?: number; expectedPeer: string }
  ): Promise<Advert>
  onAssignment(peerId: string, update: AssignmentUpdate): void
}

export interface MembershipInit extends MemberLinkInit {
  /** Streams that have not said Hello yet, beside the members. */
  readonly greetersMax: number
}

/** A check of the registry this much later than planned means that this process was held up, not the nodes. */
const OWN_DELAY_FACTOR = 2

/**
 * The nodes' streams to this coordinator: feeds the registry with what they say, and carries orders to them.
 */
export class Membership implements Disposable {
  readonly #components: MembershipComponents
  readonly #init: MembershipInit
  readonly #links = new Map<string, MemberLink>()
  readonly #greeters = new Set<MemberLink>()
  readonly #pruneTimer: NodeJS.Timeout
  readonly #stopListening: () => void
  #lastPruneMs: number
  #stopped = false

  constructor(components: MembershipComponents, init: MembershipInit) {
    this.#components = components
    this.#init = init
    this.#lastPruneMs = components.steady.now()
    this.#pruneTimer = setInterval(() => this.#prune(), init.heartbeatIntervalMs)
    this.#stopListening = components.registry.onChange(change => {
      if (change.type === 'left') this.#dismiss(change.node.peerId, change.reason)
    })
  }

  /** Takes on a stream that a peer opened. */
  accept(stream: ByteStream, peerId: string): void {
    if (this.#stopped || this.#greeters.size >= this.#init.greetersMax) {
      stream.abort(new MeshError('resource_exhausted', 'too many nodes are joining at once'))
      return
    }
    const link = new MemberLink(stream, peerId, this.#handlers(peerId), this.#init)
    this.#greeters.add(link)
  }

  /** Sends an order; a node that is no member any more misses it, and its leaving is known already. */
  send(peerId: string, message: CoordinatorMessage): void {
    this.#links.get(peerId)?.send(message)
  }

  [Symbol.dispose](): void {
    this.#stopped = true
    clearInterval(this.#pruneTimer)
    this.#stopListening()
    const stopping = new MeshError('unavailable', 'the coordinator is stopping')
    for (const link of [...this.#greeters, ...this.#links.values()]) link.refuse(stopping)
  }

  #handlers(peerId: string): MemberLinkHandlers {
    const { registry, clock, openAdvert, onAssignment } = this.#components
    return {
      openAdvert: (sealed, lastSequence) => {
        const expected = { now: clock.now(), expectedPeer: peerId }
        return openAdvert(sealed, lastSequence === undefined ? expected : { ...expected, lastSequence })
      },
      joined: (link, advert) => this.#welcome(link, advert),
      seen: (link, advert) => {
        if (this.#links.get(peerId) === link) registry.seen(peerId, advert)
      },
      assignment: (link, update) => {
        if (this.#links.get(peerId) === link) onAssignment(peerId, update)
      },
      ended: (link, reason) => {
        this.#greeters.delete(link)
        if (this.#links.get(peerId) === link) registry.leave(peerId, reason)
      }
    }
  }

  /** A second stream of the same peer is a restarted node: the first one's leaving comes before its joining. */
  #welcome(link: MemberLink, advert: Advert): void {
    const { registry } = this.#components
    registry.leave(link.peerId, 'it joined anew')
    registry.join(advert)
    this.#greeters.delete(link)
    this.#links.set(link.peerId, link)
  }

  /** The registry has let a node go: so must we. */
  #dismiss(peerId: string, reason: string): void {
    const link = this.#links.get(peerId)
    this.#links.delete(peerId)
    link?.refuse(new MeshError('node_lost', `the coordinator let this node go: ${reason}`))
  }

  #prune(): void {
    const now = this.#components.steady.now()
    const lateMs = now - this.#lastPruneMs
    this.#lastPruneMs = now
    // heartbeats that came meanwhile are still in our own queue: let them in first
    if (lateMs > OWN_DELAY_FACTOR * this.#init.heartbeatIntervalMs) return
    this.#components.registry.prune()
  }
}
