import type { Scheduler, Timer } from '@resultity/interface'
import type { Logger } from 'pino'
import { type InvitedPeers, type JoinPolicy, joinRefusal } from './join-policy.ts'
import type { NodeRegistry } from './node-registry.ts'

export interface InvitedMembersComponents {
  readonly registry: NodeRegistry
  readonly invites: Pick<InvitedPeers, 'invitedAmong'>
  readonly logger: Logger
  readonly scheduler: Scheduler
  /** Ends a membership. */
  dismiss(peerId: string, reason: string): void
}

/** How often this looks which members may stay. */
const LOOK_MS = 10_000

/**
 * Ends the membership of nodes that joined by an invite and were removed on another coordinator of the same database. A
 * node that is removed on this one is dismissed at once.
 */
export class InvitedMembers implements Disposable {
  readonly #components: InvitedMembersComponents
  readonly #joins: JoinPolicy
  readonly #timer: Timer
  #looking = false

  constructor(components: InvitedMembersComponents, joins: JoinPolicy) {
    this.#components = components
    this.#joins = joins
    this.#timer = components.scheduler.setInterval(() => void this.#look(), LOOK_MS)
  }

  [Symbol.dispose](): void {
    this.#components.scheduler.clear(this.#timer)
  }

  /** Never rejects: while the database cannot be asked, all may stay. */
  async #look(): Promise<void> {
    const { registry, invites, logger, dismiss } = this.#components
    const members = registry.list().filter(({ peerId, from }) => joinRefusal(this.#joins, peerId, from) !== undefined)
    if (this.#looking || members.length === 0) return
    this.#looking = true
    try {
      const invited = await invites.invitedAmong(members.map(({ peerId }) => peerId))
      for (const { peerId, joinedAtMs } of members) {
        // the node may have joined again by another invite since
        if (invited.has(peerId) || registry.get(peerId)?.joinedAtMs !== joinedAtMs) continue
        logger.info({ peerId }, 'a node was removed on another coordinator; its membership ends')
        dismiss(peerId, 'it was removed')
      }
    } catch (error) {
      logger.warn({ err: error }, 'it could not be looked up which nodes were removed')
    } finally {
      this.#looking = false
    }
  }
}
