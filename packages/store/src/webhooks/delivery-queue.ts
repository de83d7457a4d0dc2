import { type Kysely, sql } from 'kysely'
import type { StoreDatabase } from '../database/database.ts'
import { encodeJson } from '../database/json-column.ts'
import { cursorOf, isAfter } from '../database/pages.ts'
import type { Tables } from '../database/tables.ts'
import type { Delivery, DeliveryAttempt } from './webhook.ts'
import { toDelivery } from './webhook-rows.ts'

/** Attempts that the log of one delivery keeps. */
const LOG_MAX = 20

export interface DeliveryRequest {
  /** Most deliveries of all webhooks, and of one. */
  readonly count: number
  readonly perWebhook: number
  /** Webhooks with enough deliveries in progress. */
  readonly except: readonly string[]
}

/** State of a delivery after an attempt. */
export type DeliveryOutcome =
  | { readonly state: 'delivered' | 'failed' }
  /** Once more, at this time. */
  | { readonly state: 'pending'; readonly dueAtMs: number }

export interface DeliveryPage {
  readonly webhookId: string
  /** Only deliveries after the one with this id, newest first. */
  readonly after?: string
  readonly limit: number
}

/** Waiting deliveries, in a table. Queued deliveries survive the process, and one coordinator takes each. */
export class DeliveryQueue {
  readonly #kysely: Kysely<Tables>

  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>) {
    this.#kysely = kysely
  }

  /**
   * Takes deliveries that are due. One that is not reported on is due again after `leaseMs`: its coordinator has ended.
   */
  async claim(nowMs: number, leaseMs: number, { count, perWebhook, except }: DeliveryRequest): Promise<Delivery[]> {
    const allowed = except.length === 0 ? sql`true` : sql`w.id not in (${sql.join(except)})`
    const due = sql<string>`
      select d.id from webhook w join webhook_delivery d on d.id in (
        select id from webhook_delivery own
        where own.webhook_id = w.id and own.state = 'pending' and own.due_at_ms <= ${nowMs}
        order by own.due_at_ms limit ${perWebhook})
      where w.disabled_at_ms is null and ${allowed}
      order by d.due_at_ms limit ${count}`
    const rows = await this.#kysely
      .updateTable('webhook_delivery')
      .set(({ eb }) => ({ attempts: eb('attempts', '+', 1), due_at_ms: nowMs + leaseMs }))
      .where(sql<boolean>`id in (${due})`)
      // again, for the row that another coordinator took in this moment
      .where('state', '=', 'pending')
      .where('due_at_ms', '<=', nowMs)
      .returningAll()
      .execute()
    return rows.map(toDelivery)
  }

  /** Writes down an attempt. Does nothing when the delivery is gone or was taken again since. */
  async report(delivery: Delivery, attempt: DeliveryAttempt, outcome: DeliveryOutcome): Promise<void> {
    const log = [...delivery.log, attempt].slice(-LOG_MAX)
    const next =
      outcome.state === 'pending'
        ? { due_at_ms: outcome.dueAtMs }
        : { state: outcome.state, ended_at_ms: attempt.atMs + attempt.durationMs }
    await this.#kysely
      .updateTable('webhook_delivery')
      .set({ ...next, log: encodeJson(log) })
      .where('id', '=', delivery.id)
      .where('state', '=', 'pending')
      .where('attempts', '=', delivery.attempts)
      .execute()
  }

  /** Whether more than `count` wait for a webhook. */
  async hasMoreThan(count: number, webhookId: string): Promise<boolean> {
    const row = await this.#kysely
      .selectFrom('webhook_delivery')
      .select('id')
      .where('webhook_id', '=', webhookId)
      .where('state', '=', sql.lit('pending'))
      .orderBy('due_at_ms')
      .limit(1)
      .offset(count)
      .executeTakeFirst()
    return row !== undefined
  }

  async find(id: string): Promise<Delivery | undefined> {
    const row = await this.#kysely.selectFrom('webhook_delivery').selectAll().where('id', '=', id).executeTakeFirst()
    return row === undefined ? undefined : toDelivery(row)
  }

  /** @throws MeshError `not_found` when `after` names no delivery */
  async list(page: DeliveryPage): Promise<{ readonly deliveries: readonly Delivery[]; readonly hasMore: boolean }> {
    const { webhookId, limit } = page
    const cursor = await cursorOf(page.after, 'delivery', async id => {
      const known = await this.find(id)
      return known?.webhookId === webhookId ? known : undefined
    })
    const rows = await this.#kysely
      .selectFrom('webhook_delivery')
      .selectAll()
      .where('webhook_id', '=', webhookId)
      .where(isAfter(cursor))
      .orderBy('created_at_ms', 'desc')
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute()
    return { deliveries: rows.slice(0, limit).map(toDelivery), hasMore: rows.length > limit }
  }

  /** Sends it once more, from the first attempt on. Undefined when there is no such delivery. */
  async requeue(id: string, nowMs: number): Promise<Delivery | undefined> {
    const row = await this.#kysely
      .updateTable('webhook_delivery')
      .set({ state: 'pending', attempts: 0, due_at_ms: nowMs, ended_at_ms: null })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst()
    return row === undefined ? undefined : toDelivery(row)
  }

  /** Removes what ended before; returns how many. */
  async prune(endedBeforeMs: number): Promise<number> {
    const { numDeletedRows } = await this.#kysely
      .deleteFrom('webhook_delivery')
      .where('ended_at_ms', '<', endedBeforeMs)
      .executeTakeFirst()
    return Number(numDeletedRows)
  }
}
