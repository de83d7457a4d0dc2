import type { Kysely, Selectable } from 'kysely'
import type { StoreDatabase } from '../database/database.ts'
import type { Tables } from '../database/tables.ts'
import type { InviteTable } from '../migrations/0013-invites.ts'

/** The stored part of an invite: never its secret. */
export interface StoredInvite {
  readonly id: string
  /** SHA-256 of its secret, in hexadecimal. */
  readonly secretSha256: string
  /** Peer id of the coordinator that signed it. */
  readonly coordinator: string
  readonly label: string | null
  /** Unix milliseconds, as all times. */
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** Nodes that may join by it; null: any number. */
  readonly usesMax: number | null
  readonly uses: number
  readonly revokedAtMs: number | null
}

export type NewInvite = Omit<StoredInvite, 'uses' | 'revokedAtMs'>

/** A node that joined by an invite, and may do so again. */
export interface InvitedNode {
  readonly peerId: string
  readonly inviteId: string
  readonly joinedAtMs: number
}

/** What came of an invite that a node showed. */
export type Redemption = 'redeemed' | 'unknown' | 'revoked' | 'expired' | 'used_up'

/** A node that shows an invite. */
export interface Redeeming {
  readonly id: string
  readonly secretSha256: string
  readonly peerId: string
  readonly nowMs: number
}

/** Fewer parameters than either database takes. */
const NODES_PER_QUERY = 500

/** Invites, and who came by them; the same on both databases. */
export class InviteStore {
  readonly #kysely: Kysely<Tables>

  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>) {
    this.#kysely = kysely
  }

  /** What the coordinators on this database have in common; drawn when it was made. */
  async networkId(): Promise<string> {
    const { id } = await this.#kysely.selectFrom('network').select('id').executeTakeFirstOrThrow()
    return id
  }

  async add(invite: NewInvite): Promise<void> {
    await this.#kysely
      .insertInto('invite')
      .values({
        id: invite.id,
        secret_sha256: invite.secretSha256,
        coordinator: invite.coordinator,
        label: invite.label,
        created_at_ms: invite.createdAtMs,
        expires_at_ms: invite.expiresAtMs,
        uses_max: invite.usesMax,
        uses: 0,
        revoked_at_ms: null
      })
      .execute()
  }

  async count(): Promise<number> {
    const { count } = await this.#kysely
      .selectFrom('invite')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    return count
  }

  /** The newest of them, newest first. */
  async list(limit: number): Promise<readonly StoredInvite[]> {
    const rows = await this.#kysely
      .selectFrom('invite')
      .selectAll()
      .orderBy('created_at_ms', 'desc')
      .orderBy('id', 'desc')
      .limit(limit)
      .execute()
    return rows.map(toInvite)
  }

  /** Removes invites that expired or were revoked before then; the nodes that came by them stay. */
  async prune(beforeMs: number): Promise<void> {
    await this.#kysely
      .deleteFrom('invite')
      .where(({ eb, or }) => or([eb('expires_at_ms', '<', beforeMs), eb('revoked_at_ms', '<', beforeMs)]))
      .execute()
  }

  /** Removes all invites by which nobody can join any more. */
  async removeEnded(nowMs: number): Promise<void> {
    await this.#kysely
      .deleteFrom('invite')
      .where(({ eb, or, ref }) =>
        or([eb('expires_at_ms', '<=', nowMs), eb('revoked_at_ms', 'is not', null), eb('uses', '>=', ref('uses_max'))])
      )
      .execute()
  }

  /** Undefined when there is no such invite. */
  async revoke(id: string, nowMs: number): Promise<StoredInvite | undefined> {
    await this.#kysely
      .updateTable('invite')
      .set({ revoked_at_ms: nowMs })
      .where('id', '=', id)
      .where('revoked_at_ms', 'is', null)
      .execute()
    return this.#find(id)
  }

  /**
   * Takes one use of an invite for a node and remembers the node: both, or neither. A node that is remembered takes none,
   * though it asks twice at once.
   */
  async redeem({ id, secretSha256, peerId, nowMs }: Redeeming): Promise<Redemption> {
    return this.#kysely.transaction().execute(async transaction => {
      const { numInsertedOrUpdatedRows } = await transaction
        .insertInto('invited_node')
        .values({ peer_id: peerId, invite_id: id, joined_at_ms: nowMs })
        .onConflict(conflict => conflict.column('peer_id').doNothing())
        .executeTakeFirstOrThrow()
      if (numInsertedOrUpdatedRows === 0n) return 'redeemed'
      const { numUpdatedRows } = await transaction
        .updateTable('invite')
        .set(({ eb }) => ({ uses: eb('uses', '+', 1) }))
        .where('id', '=', id)
        .where('secret_sha256', '=', secretSha256)
        .where('revoked_at_ms', 'is', null)
        .where('expires_at_ms', '>', nowMs)
        .where(({ eb, or, ref }) => or([eb('uses_max', 'is', null), eb('uses', '<', ref('uses_max'))]))
        .executeTakeFirstOrThrow()
      if (numUpdatedRows > 0n) return 'redeemed'
      await transaction.deleteFrom('invited_node').where('peer_id', '=', peerId).execute()
      const row = await transaction.selectFrom('invite').selectAll().where('id', '=', id).executeTakeFirst()
      return refusalOf(row, secretSha256)
    })
  }

  /** Nodes that came by an invite, the latest first. */
  async nodes(limit: number): Promise<readonly InvitedNode[]> {
    const rows = await this.#kysely
      .selectFrom('invited_node')
      .selectAll()
      .orderBy('joined_at_ms', 'desc')
      .orderBy('peer_id')
      .limit(limit)
      .execute()
    return rows.map(row => ({ peerId: row.peer_id, inviteId: row.invite_id, joinedAtMs: row.joined_at_ms }))
  }

  async isInvited(peerId: string): Promise<boolean> {
    const row = await this.#kysely
      .selectFrom('invited_node')
      .select('peer_id')
      .where('peer_id', '=', peerId)
      .executeTakeFirst()
    return row !== undefined
  }

  /** Those of these nodes that came by an invite. */
  async invitedAmong(peerIds: readonly string[]): Promise<ReadonlySet<string>> {
    const invited = new Set<string>()
    for (let first = 0; first < peerIds.length; first += NODES_PER_QUERY) {
      const rows = await this.#kysely
        .selectFrom('invited_node')
        .select('peer_id')
        .where('peer_id', 'in', peerIds.slice(first, first + NODES_PER_QUERY))
        .execute()
      for (const row of rows) invited.add(row.peer_id)
    }
    return invited
  }

  /**
   * Forgets a node, and revokes the invite that it came by: it may still hold that, and so may whoever it gave it to.
   * @returns whether it was there
   */
  async removeNode(peerId: string, nowMs: number): Promise<boolean> {
    return this.#kysely.transaction().execute(async transaction => {
      const removed = await transaction
        .deleteFrom('invited_node')
        .where('peer_id', '=', peerId)
        .returning('invite_id')
        .executeTakeFirst()
      if (removed === undefined) return false
      await transaction
        .updateTable('invite')
        .set({ revoked_at_ms: nowMs })
        .where('id', '=', removed.invite_id)
        .where('revoked_at_ms', 'is', null)
        .execute()
      return true
    })
  }

  async #find(id: string): Promise<StoredInvite | undefined> {
    const row = await this.#kysely.selectFrom('invite').selectAll().where('id', '=', id).executeTakeFirst()
    return row === undefined ? undefined : toInvite(row)
  }
}

function refusalOf(row: Selectable<InviteTable> | undefined, secretSha256: string): Redemption {
  if (row === undefined || row.secret_sha256 !== secretSha256) return 'unknown'
  if (row.uses_max !== null && row.uses >= row.uses_max) return 'used_up'
  return row.revoked_at_ms !== null ? 'revoked' : 'expired'
}

function toInvite(row: Selectable<InviteTable>): StoredInvite {
  return {
    id: row.id,
    secretSha256: row.secret_sha256,
    coordinator: row.coordinator,
    label: row.label,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    usesMax: row.uses_max,
    uses: row.uses,
    revokedAtMs: row.revoked_at_ms
  }
}
