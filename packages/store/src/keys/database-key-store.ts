import type { Kysely, Selectable } from 'kysely'
import type { StoreDatabase } from '../database/database.ts'
import { decodeJson, encodeJson } from '../database/json-column.ts'
import { cursorOf, isAfter } from '../database/pages.ts'
import type { Tables } from '../database/tables.ts'
import type { ApiKeyTable } from '../migrations/0002-keys.ts'
import type { ApiKey, ApiKeyChange, ApiKeyFilter, KeyStore, NewApiKey } from './api-key.ts'

/** Keys in a table, the same on both databases. */
export class DatabaseKeyStore implements KeyStore {
  readonly #kysely: Kysely<Tables>

  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>) {
    this.#kysely = kysely
  }

  async add(key: NewApiKey): Promise<ApiKey> {
    const row = await this.#kysely
      .insertInto('api_key')
      .values({
        id: key.id,
        name: key.name,
        namespace: key.namespace,
        scopes: encodeJson(key.scopes),
        limits: encodeJson(key.limits),
        secret_sha256: key.secretSha256,
        created_at_ms: key.createdAtMs,
        expires_at_ms: key.expiresAtMs,
        previous_sha256: null,
        previous_until_ms: null,
        revoked_at_ms: null,
        last_used_at_ms: null,
        subclouds: key.subclouds == null ? null : encodeJson(key.subclouds)
      })
      .returningAll()
      .executeTakeFirstOrThrow()
    return toKey(row)
  }

  async find(id: string): Promise<ApiKey | undefined> {
    const row = await this.#kysely.selectFrom('api_key').selectAll().where('id', '=', id).executeTakeFirst()
    return row === undefined ? undefined : toKey(row)
  }

  async list(filter: ApiKeyFilter): Promise<{ readonly keys: readonly ApiKey[]; readonly hasMore: boolean }> {
    const { namespace, limit } = filter
    const cursor = await cursorOf(filter.after, 'key', id => this.find(id))
    const rows = await this.#kysely
      .selectFrom('api_key')
      .selectAll()
      .$if(namespace !== undefined, query => query.where('namespace', '=', namespace ?? ''))
      .where(isAfter(cursor))
      .orderBy('created_at_ms', 'desc')
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute()
    return { keys: rows.slice(0, limit).map(toKey), hasMore: rows.length > limit }
  }

  async count(): Promise<number> {
    const { count } = await this.#kysely
      .selectFrom('api_key')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    return count
  }

  async change(id: string, change: ApiKeyChange): Promise<ApiKey | undefined> {
    const columns = toColumns(change)
    // SQL has no update of nothing
    if (Object.keys(columns).length === 0) return this.find(id)
    const row = await this.#kysely
      .updateTable('api_key')
      .set(columns)
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst()
    return row === undefined ? undefined : toKey(row)
  }
}

function toColumns(change: ApiKeyChange): Partial<Selectable<ApiKeyTable>> {
  const { scopes, limits, subclouds } = change
  const columns: { [Name in keyof ApiKeyTable]?: ApiKeyTable[Name] | undefined } = {
    name: change.name,
    scopes: scopes === undefined ? undefined : encodeJson(scopes),
    limits: limits === undefined ? undefined : encodeJson(limits),
    subclouds: subclouds == null ? subclouds : encodeJson(subclouds),
    secret_sha256: change.secretSha256,
    previous_sha256: change.previousSha256,
    previous_until_ms: change.previousUntilMs,
    expires_at_ms: change.expiresAtMs,
    revoked_at_ms: change.revokedAtMs,
    last_used_at_ms: change.lastUsedAtMs
  }
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined))
}

function toKey(row: Selectable<ApiKeyTable>): ApiKey {
  return {
    id: row.id,
    name: row.name,
    namespace: row.namespace,
    scopes: decodeJson(row.scopes),
    limits: decodeJson(row.limits),
    subclouds: row.subclouds === null ? null : decodeJson(row.subclouds),
    secretSha256: row.secret_sha256,
    previousSha256: row.previous_sha256,
    previousUntilMs: row.previous_until_ms,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    revokedAtMs: row.revoked_at_ms,
    lastUsedAtMs: row.last_used_at_ms
  }
}
