import { MeshError } from '@resultity/interface'
import type { Kysely } from 'kysely'
import type { StoreDatabase } from '../database/database.ts'
import { encodeJson } from '../database/json-column.ts'
import type { Tables } from '../database/tables.ts'
import type { NewWebhook, Webhook } from './webhook.ts'
import { toWebhook } from './webhook-rows.ts'

/** Webhooks in a table, the same on both databases. */
export class WebhookStore {
  readonly #kysely: Kysely<Tables>

  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>) {
    this.#kysely = kysely
  }

  async add(webhook: NewWebhook): Promise<Webhook> {
    const row = await this.#kysely
      .insertInto('webhook')
      .values({
        id: webhook.id,
        namespace: webhook.namespace,
        url: webhook.url,
        events: encodeJson(webhook.events),
        description: webhook.description,
        secret: webhook.secret,
        created_at_ms: webhook.createdAtMs,
        failing_since_ms: null,
        disabled_at_ms: null,
        disabled_reason: null
      })
      .returningAll()
      .executeTakeFirstOrThrow()
    return toWebhook(row)
  }

  async find(id: string): Promise<Webhook | undefined> {
    const row = await this.#kysely.selectFrom('webhook').selectAll().where('id', '=', id).executeTakeFirst()
    return row === undefined ? undefined : toWebhook(row)
  }

  /** All of a namespace, oldest first. */
  async list(namespace: string): Promise<readonly Webhook[]> {
    const rows = await this.#kysely
      .selectFrom('webhook')
      .selectAll()
      .where('namespace', '=', namespace)
      .orderBy('created_at_ms')
      .orderBy('id')
      .execute()
    return rows.map(toWebhook)
  }

  /** With all its deliveries. Returns whether there was one. */
  async remove(id: string): Promise<boolean> {
    const { numDeletedRows } = await this.#kysely.deleteFrom('webhook').where('id', '=', id).executeTakeFirst()
    return numDeletedRows > 0n
  }

  /** Something arrived. */
  async succeeded(id: string): Promise<void> {
    await this.#kysely
      .updateTable('webhook')
      .set({ failing_since_ms: null })
      .where('id', '=', id)
      .where('failing_since_ms', 'is not', null)
      .execute()
  }

  /** Something did not arrive. @returns since when nothing has */
  async failed(id: string, atMs: number): Promise<number> {
    const row = await this.#kysely
      .updateTable('webhook')
      .set(({ fn, ref, val }) => ({ failing_since_ms: fn.coalesce(ref('failing_since_ms'), val(atMs)) }))
      .where('id', '=', id)
      .returning('failing_since_ms')
      .executeTakeFirst()
    return row?.failing_since_ms ?? atMs
  }

  /** Disables the webhook, and drops its waiting deliveries. */
  async disable(id: string, reason: string, atMs: number): Promise<void> {
    await this.#kysely.transaction().execute(async transaction => {
      await transaction
        .updateTable('webhook')
        .set({ disabled_at_ms: atMs, disabled_reason: reason })
        .where('id', '=', id)
        .where('disabled_at_ms', 'is', null)
        .execute()
      await transaction
        .updateTable('webhook_delivery')
        .set({ state: 'failed', ended_at_ms: atMs })
        .where('webhook_id', '=', id)
        .where('state', '=', 'pending')
        .execute()
    })
  }

  /** @throws MeshError `not_found` */
  async enable(id: string): Promise<Webhook> {
    const row = await this.#kysely
      .updateTable('webhook')
      .set({ disabled_at_ms: null, disabled_reason: null, failing_since_ms: null })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) throw new MeshError('not_found', 'the webhook is gone', { hint: 'Create a new one.' })
    return toWebhook(row)
  }
}
