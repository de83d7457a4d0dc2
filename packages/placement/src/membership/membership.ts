import { type Advert, type Clock, MeshError, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import { believableAddresses, type SeenPeer, seenFrom } from '@resultity/mesh'
import type { AssignmentUpdate, ByteStream, CoordinatorMessage } from '@resultity/wire'
import type { Logger } from 'pino'
import { InvitedMembers } from './invited-members.ts'
import { type JoinPolicy, JoinRate, joinRefusal, RefusalNotes } from './join-policy.ts'
import { MemberLink, type MemberLinkHandlers, type MemberLinkInit } from './member-link.ts'
import type { NodeRegistry } from './node-registry.ts'
import { plausibleAdvert } from './plausible-advert.ts'

/** Nodes that have opened a stream and not yet said Hello. */
export const GREETERS_MAX = 32

export interface MembershipComponents {
  readonly registry: NodeRegistry
  /** The clock that adverts of other machines are compared with. */
  readonly clock: Clock
  readonly logger: Logger
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
  /** Streams beside the members: one more takes the place of one that has not said Hello. */
  readonly greetersMax: number
  readonly joins: JoinPolicy
}

/** At most this many members are told to each other. */
const TOLD_MEMBERS_MAX = 4096

/** A check of the registry this much later than planned means that this process was held up, not the nodes. */
const OWN_DELAY_FACTOR = 2

/** The nodes' streams to this coordinator. It feeds the registry with their messages, and carries orders to them. */
export class Membership implements Disposable {
  readonly #components: MembershipComponents
  readonly #init: MembershipInit
  readonly #links = new Map<string, MemberLink>()
  readonly #greeters = new Set<MemberLink>()
  readonly #joinRate = new JoinRate()
  readonly #refusals: RefusalNotes
  readonly #corrections: RefusalNotes
  /** Raised with each change of the members. */
  #membersVersion = 0
  readonly #toldVersions = new WeakMap<MemberLink, number>()
  readonly #scheduler: Scheduler
  readonly #pruneTimer: Timer
  readonly #stopListening: () => void
  readonly #invited: InvitedMembers | undefined
  #lastPruneMs: number
  #stopped = false

  constructor(components: MembershipComponents, init: MembershipInit) {
    this.#components = components
    this.#init = init
    this.#lastPruneMs = components.steady.now()
    this.#refusals = new RefusalNotes(this.#lastPruneMs)
    this.#corrections = new RefusalNotes(this.#lastPruneMs)
    this.#scheduler = init.scheduler ?? systemScheduler
    this.#pruneTimer = this.#scheduler.setInterval(() => this.#prune(), init.heartbeatIntervalMs)
    this.#stopListening = components.registry.onChange(change => {
      if (change.type !== 'updated') this.#membersVersion++
      if (change.type === 'left') this.#letGo(change.node.peerId, change.reason)
    })
    const { invites } = init.joins
    if (invites === undefined) return
    const { registry, logger } = components
    const dismiss = this.dismiss.bind(this)
    this.#invited = new InvitedMembers({ registry, invites, logger, scheduler: this.#scheduler, dismiss }, init.joins)
  }

  /** Takes a stream that a peer opened from `remoteAddr`. */
  accept(stream: ByteStream, peerId: string, remoteAddr: string): void {
    if (this.#stopped || (this.#greeters.size >= this.#init.greetersMax && !this.#makeRoom())) {
      stream.abort(crowded())
      return
    }
    const link = new MemberLink(stream, peerId, this.#handlers(peerId, seenFrom(remoteAddr)), this.#init)
    this.#greeters.add(link)
  }

  /** Sends an order; a node that is no member any more misses it, and its leaving is known already. */
  send(peerId: string, message: CoordinatorMessage): void {
    this.#links.get(peerId)?.send(message)
  }

  /** Ends the membership of a node, and its joining if it is about to. */
  dismiss(peerId: string, reason: string): void {
    for (const link of this.#greeters) if (link.peerId === peerId) link.refuse(letGo(reason))
    this.#components.registry.leave(peerId, reason)
  }

  [Symbol.dispose](): void {
    this.#stopped = true
    this.#scheduler.clear(this.#pruneTimer)
    this.#invited?.[Symbol.dispose]()
    this.#stopListening()
    const stopping = new MeshError('unavailable', 'the coordinator is stopping')
    for (const link of [...this.#greeters, ...this.#links.values()]) link.refuse(stopping)
  }

  /** Ends the stream of a peer that has not said Hello: the oldest, of whom has the most. @returns false where all have said it */
  #makeRoom(): boolean {
    const silent = [...this.#greeters].filter(({ greeted }) => !greeted)
    const byPeer = [...Map.groupBy(silent, ({ peerId }) => peerId).values()]
    // the greeters stand in the order in which they came
    const [most] = byPeer.toSorted((a, b) => b.length - a.length)
    most?.[0]?.refuse(crowded())
    return most !== undefined
  }

  #handlers(peerId: string, from: SeenPeer): MemberLinkHandlers {
    const { registry, clock, onAssignment } = this.#components
    return {
      now: () => clock.now(),
      admit: invite => this.#admit(peerId, from, invite),
      membersFor: link => this.#membersFor(link),
      openAdvert: (sealed, lastSequence) => this.#openAdvert(sealed, peerId, from, lastSequence),
      joined: (link, advert) => this.#welcome(link, advert, from),
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

  async #admit(peerId: string, from: SeenPeer, invite: string | undefined): Promise<void> {
    const { clock, logger } = this.#components
    this.#joinRate.admit(peerId, clock.now())
    const { joins } = this.#init
    const refusal = joinRefusal(joins, peerId, from)
    if (refusal === undefined) return
    try {
      if ((await joins.invites?.admits(peerId, invite)) === true) return
      throw refusal
    } catch (error) {
      const { message, hint } = MeshError.from(error)
      if (this.#refusals.isNew(peerId, clock.now())) logger.warn({ peerId, ip: from.ip, hint }, message)
      throw error
    }
  }

  /**
   * Opens an advert and keeps only plausible parts: addresses that the peer can have, figures that a machine can have.
   */
  async #openAdvert(sealed: Uint8Array, peerId: string, from: SeenPeer, last: number | undefined): Promise<Advert> {
    const { clock, openAdvert, logger } = this.#components
    const expected = { now: clock.now(), expectedPeer: peerId }
    const said = await openAdvert(sealed, last === undefined ? expected : { ...expected, lastSequence: last })
    const { advert, corrected } = plausibleAdvert(said)
    if (corrected.length > 0 && this.#corrections.isNew(peerId, clock.now())) {
      logger.warn(
        { peerId, corrected: corrected.slice(0, 8) },
        'a node advertises what no machine has; it was put right'
      )
    }
    // a site's own addresses may serve others of the site, whatever lies between it and here
    const scope = from.scope === 'this_machine' ? from.scope : 'private'
    return { ...advert, multiaddrs: believableAddresses(advert.multiaddrs, scope) }
  }

  #membersFor(link: MemberLink): readonly string[] | undefined {
    if (this.#toldVersions.get(link) === this.#membersVersion) return undefined
    this.#toldVersions.set(link, this.#membersVersion)
    return this.#components.registry
      .list()
      .slice(0, TOLD_MEMBERS_MAX)
      .map(({ peerId }) => peerId)
  }

  /** A second stream of the same peer is a restarted node: the first one's leaving comes before its joining. */
  #welcome(link: MemberLink, advert: Advert, from: SeenPeer): void {
    const { registry } = this.#components
    registry.leave(link.peerId, 'it joined anew')
    registry.join(advert, from)
    this.#greeters.delete(link)
    this.#links.set(link.peerId, link)
  }

  /** The registry has let a node go: so must we. */
  #letGo(peerId: string, reason: string): void {
    const link = this.#links.get(peerId)
    this.#links.delete(peerId)
    link?.refuse(letGo(reason))
  }

  #prune(): void {
    const now = this.#components.steady.now()
    const lateMs = now - this.#lastPruneMs
    this.#lastPruneMs = now
    // heartbeats received since then are still in our own queue: let them in first
    if (lateMs > OWN_DELAY_FACTOR * this.#init.heartbeatIntervalMs) return
    this.#components.registry.prune()
  }
}

function crowded(): MeshError {
  return new MeshError('resource_exhausted', 'too many nodes are joining at once')
}

function letGo(reason: string): MeshError {
  return new MeshError('node_lost', `the coordinator let this node go: ${reason}`)
}
