import { createHash } from 'node:crypto'
import {
  type Clock,
  INVITE_ADDRESSES_MAX,
  type Invite,
  MeshError,
  type Scheduler,
  systemScheduler
} from '@resultity/interface'
import { believableAddresses, openInvite, requireCurrent } from '@resultity/mesh'
import type { InvitedNode, InviteStore, Redemption, StoredInvite } from '@resultity/store'

export interface InvitesComponents {
  readonly store: InviteStore
  readonly clock: Clock
  /** Signs with this coordinator's key. */
  seal(invite: Invite): Promise<string>
  /** Where this coordinator is reached. */
  multiaddrs(): readonly string[]
  /** Ends the membership of a node that is connected to this coordinator, or is about to join. */
  dismiss(peerId: string, reason: string): void
  /** Default: the machine's chance. */
  readonly scheduler?: Scheduler
}

export interface InvitesInit {
  readonly networkId: string
  /** This coordinator's peer id. */
  readonly peerId: string
}

export interface InviteRequest {
  readonly label: string | null
  /** Nodes that may join by it; null: any number. */
  readonly usesMax: number | null
  readonly ttlMs: number
}

/** Nobody would look through more; those that ended go by themselves. */
export const INVITES_MAX = 1000
export const INVITED_NODES_SHOWN_MAX = 4096

/** An invite that has ended is shown for that much longer, where there is room. */
const ENDED_SHOWN_MS = 30 * 24 * 60 * 60 * 1000

const ID_BYTES = 8
const SECRET_BYTES = 32

/** Makes invites, and decides what becomes of those that nodes show. */
export class Invites {
  readonly #components: InvitesComponents
  readonly #init: InvitesInit

  constructor(components: InvitesComponents, init: InvitesInit) {
    this.#components = components
    this.#init = init
  }

  /** @returns the invite, and the text that only this answer has. @throws MeshError `resource_exhausted` */
  async create({ label, usesMax, ttlMs }: InviteRequest): Promise<{ readonly invite: StoredInvite; token: string }> {
    const { store, clock, seal, scheduler = systemScheduler } = this.#components
    const createdAtMs = clock.now()
    await store.prune(createdAtMs - ENDED_SHOWN_MS)
    if ((await store.count()) >= INVITES_MAX) await store.removeEnded(createdAtMs)
    if ((await store.count()) >= INVITES_MAX) {
      throw new MeshError('resource_exhausted', `there are ${INVITES_MAX} invites, and no more may be`, {
        hint: 'Revoke some with "resultity invite revoke ID", or make one that more nodes may use.'
      })
    }
    const secret = Buffer.from(scheduler.randomBytes(SECRET_BYTES)).toString('base64url')
    const { networkId: network, peerId: coordinator } = this.#init
    const id = Buffer.from(scheduler.randomBytes(ID_BYTES)).toString('hex')
    const expiresAtMs = createdAtMs + ttlMs
    const multiaddrs = this.#multiaddrs()
    const token = await seal({ version: 1, id, secret, network, coordinator, multiaddrs, expiresAtMs, label })
    const invite = { id, secretSha256: sha256(secret), coordinator, label, createdAtMs, expiresAtMs, usesMax }
    await store.add(invite)
    return { invite: { ...invite, uses: 0, revokedAtMs: null }, token }
  }

  list(): Promise<readonly StoredInvite[]> {
    return this.#components.store.list(INVITES_MAX)
  }

  nodes(): Promise<readonly InvitedNode[]> {
    return this.#components.store.nodes(INVITED_NODES_SHOWN_MAX)
  }

  /** Nobody joins by it any more; who did may stay. @throws MeshError `not_found` */
  async revoke(id: string): Promise<StoredInvite> {
    const { store, clock } = this.#components
    const revoked = await store.revoke(id, clock.now())
    if (revoked !== undefined) return revoked
    throw new MeshError('not_found', `there is no invite ${id.slice(0, 64)}`, {
      hint: '"resultity invite list" shows those that there are.',
      details: { param: 'id' }
    })
  }

  /**
   * Lets a node go that came by an invite. That invite ends too, so the node needs another to come again.
   * @throws MeshError `not_found`
   */
  async removeNode(peerId: string): Promise<void> {
    const { store, clock, dismiss } = this.#components
    if (!(await store.removeNode(peerId, clock.now()))) {
      throw new MeshError('not_found', `no node ${peerId.slice(0, 128)} came by an invite`, {
        hint: '"resultity invite list" shows those that did.',
        details: { param: 'peer_id' }
      })
    }
    dismiss(peerId, 'it was removed')
  }

  /**
   * Whether a node may join by an invite, this one or an earlier one.
   *
   * @throws MeshError `invite_invalid`, `invite_foreign`, `invite_expired`, `invite_revoked`, `invite_used_up`
   */
  async admits(peerId: string, token: string | undefined): Promise<boolean> {
    const { store, clock } = this.#components
    if (await store.isInvited(peerId)) return true
    if (token === undefined) return false
    const invite = await openInvite(token)
    if (invite.network !== this.#init.networkId) {
      throw refused('invite_foreign', invite, 'is of another network')
    }
    const nowMs = clock.now()
    requireCurrent(invite, nowMs)
    const redemption = await store.redeem({ id: invite.id, secretSha256: sha256(invite.secret), peerId, nowMs })
    if (redemption === 'redeemed') return true
    throw refused(...refusals[redemption](invite))
  }

  /** Which of these nodes came by an invite, on any coordinator, and were not removed since. */
  invitedAmong(peerIds: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#components.store.invitedAmong(peerIds)
  }

  /** Addresses for other machines; addresses of this machine only where there are no others. */
  #multiaddrs(): string[] {
    const all = [...this.#components.multiaddrs()]
    const told = believableAddresses(all, 'private')
    return (told.length > 0 ? told : all).slice(0, INVITE_ADDRESSES_MAX)
  }
}

type Refusal = readonly [
  code: 'invite_expired' | 'invite_foreign' | 'invite_revoked' | 'invite_used_up',
  Invite,
  string
]

const refusals: Readonly<Record<Exclude<Redemption, 'redeemed'>, (invite: Invite) => Refusal>> = {
  // an invite of this network is forgotten a while after it has ended
  unknown: invite => ['invite_revoked', invite, 'is not known here any more'],
  revoked: invite => ['invite_revoked', invite, 'was revoked'],
  expired: invite => ['invite_expired', invite, 'has expired'],
  used_up: invite => ['invite_used_up', invite, 'was used as often as it may be']
}

function refused(...[code, { id }, what]: Refusal): MeshError {
  return new MeshError(code, `invite ${id} ${what}`, {
    hint: 'Have another made with "resultity invite" on the coordinator’s machine.'
  })
}

function sha256(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
