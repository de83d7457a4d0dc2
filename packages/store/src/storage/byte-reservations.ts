import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '@resultity/interface'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { StoreDatabase } from '../database/database.ts'
import type { Tables } from '../database/tables.ts'
import { requireRoom } from './byte-quota.ts'

/** After this time without a change, a reservation has no writer any more. */
export const RESERVATION_MS = 10 * 60_000

/** Bytes that are about to be written. */
export interface ByteReservation {
  /** Reserves more bytes. @throws MeshError `storage_quota_exceeded`, and then nothing changes */
  grow(bytes: number): Promise<void>
  /**
   * Ends the reservation: the bytes are stored and counted now, or will not be written. Does nothing when called again.
   */
  release(): Promise<void>
}

/** Bytes that namespaces have stored, and bytes that they are about to store. */
export class NamespaceBytes {
  readonly #database: StoreDatabase
  readonly #bytesMax: number
  readonly #clock: Clock

  /** @param bytesMax what each namespace may have: files, and bodies, logs and results of jobs */
  constructor(database: StoreDatabase, bytesMax: number, clock: Clock = systemClock) {
    this.#database = database
    this.#bytesMax = bytesMax
    this.#clock = clock
  }

  /** Stored and reserved. */
  async count(namespace: string): Promise<number> {
    return await count(this.#database.kysely, namespace)
  }

  /** @throws MeshError `storage_quota_exceeded` when `bytes` more would not fit */
  async requireRoom(namespace: string, bytes: number): Promise<void> {
    requireRoom(await this.count(namespace), bytes, this.#bytesMax)
  }

  /**
   * Reserves bytes before they are written. Concurrent reservations, on any coordinator, never exceed the room there
   * is.
   *
   * @throws MeshError `storage_quota_exceeded`
   */
  async reserve(namespace: string, bytes: number): Promise<ByteReservation> {
    const id = randomUUID()
    const grow = (more: number): Promise<void> => this.#reserve(id, namespace, more)
    await grow(bytes)
    return {
      grow,
      release: async () => {
        await this.#database.kysely.deleteFrom('byte_reservation').where('id', '=', id).execute()
      }
    }
  }

  /** Gives back what writers that are gone had reserved. */
  async prune(): Promise<void> {
    const now = this.#clock.now()
    await this.#database.kysely
      .deleteFrom('byte_reservation')
      // one that seems to hold longer was made before the clock was set back
      .where(({ or, eb }) => or([eb('until_ms', '<', now), eb('until_ms', '>', now + 2 * RESERVATION_MS)]))
      .execute()
  }

  async #reserve(id: string, namespace: string, bytes: number): Promise<void> {
    const until_ms = this.#clock.now() + RESERVATION_MS
    await this.#database.kysely.transaction().execute(async transaction => {
      await this.#lock(transaction, namespace)
      requireRoom(await count(transaction, namespace), bytes, this.#bytesMax)
      await transaction
        .insertInto('byte_reservation')
        .values({ id, namespace, bytes, until_ms })
        .onConflict(conflict =>
          conflict.column('id').doUpdateSet({ bytes: sql`byte_reservation.bytes + excluded.bytes`, until_ms })
        )
        .execute()
    })
  }

  /** Serializes reservations. On SQLite a transaction has the database to itself. */
  async #lock(transaction: Transaction<Tables>, namespace: string): Promise<void> {
    if (this.#database.dialect === 'sqlite') return
    await sql`select pg_advisory_xact_lock(hashtextextended(${`resultity bytes ${namespace}`}, 0))`.execute(transaction)
  }
}

async function count(database: Kysely<Tables>, namespace: string): Promise<number> {
  const { bytes } = await database
    .selectFrom('namespace_bytes')
    .select(sql<number>`cast(coalesce(sum(bytes), 0) as bigint)`.as('bytes'))
    .where('namespace', '=', namespace)
    .executeTakeFirstOrThrow()
  return bytes
}
