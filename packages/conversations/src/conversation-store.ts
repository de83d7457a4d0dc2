import { invalidRequest } from '@resultity/interface'
import { decodeJson, encodeJson, type StoreDatabase, type Tables } from '@resultity/store'
import { type Kysely, sql, type Transaction } from 'kysely'

export interface Conversation {
  readonly id: string
  readonly namespace: string
  readonly metadata: Readonly<Record<string, string>>
  readonly createdAtMs: number
  readonly itemCount: number
  /** All that it takes, its items included. */
  readonly bytes: number
}

/** An item as it is shown; all else in it is its kind's. */
export type StoredItem = { readonly id: string; readonly type: string } & Readonly<Record<string, unknown>>

export interface ItemFilter {
  /** Id of the item before the first. Default: from the beginning, or in descending order the end. */
  readonly after?: string | undefined
  readonly order: 'asc' | 'desc'
  readonly limit: number
}

/** What a conversation may have. */
export interface ConversationSize {
  readonly items: number
  readonly bytes: number
}

/** Bytes that a conversation and an item take beside their texts, about. */
const CONVERSATION_OVERHEAD_BYTES = 512
const ITEM_OVERHEAD_BYTES = 128

/** Items of one statement: SQLite has at most 32,766 parameters in it. */
const ITEMS_AT_ONCE = 500

/** Conversations and their items in tables, the same on both databases. */
export class ConversationStore {
  readonly #kysely: Kysely<Tables>

  constructor({ kysely }: Pick<StoreDatabase, 'kysely'>) {
    this.#kysely = kysely
  }

  /** With its first items, or not at all. */
  async add(
    { id, namespace, metadata, createdAtMs }: Omit<Conversation, 'itemCount' | 'bytes'>,
    items: readonly StoredItem[] = []
  ): Promise<void> {
    const row = {
      id,
      namespace,
      metadata: encodeJson(metadata),
      created_at_ms: createdAtMs,
      next_place: 0,
      item_count: 0,
      bytes: conversationBytes(metadata)
    }
    await this.#kysely.transaction().execute(async transaction => {
      await transaction.insertInto('conversation').values(row).execute()
      if (items.length > 0) await addWithin(transaction, id, items)
    })
  }

  async find(id: string): Promise<Conversation | undefined> {
    const row = await this.#kysely.selectFrom('conversation').selectAll().where('id', '=', id).executeTakeFirst()
    if (row === undefined) return undefined
    const { namespace, metadata, created_at_ms: createdAtMs, item_count: itemCount, bytes } = row
    return { id, namespace, metadata: decodeJson(metadata), createdAtMs, itemCount, bytes }
  }

  async setMetadata(id: string, metadata: Conversation['metadata']): Promise<void> {
    await this.#kysely.transaction().execute(async transaction => {
      await takePlaces(transaction, id, 0)
      const row = await transaction
        .selectFrom('conversation')
        .select('metadata')
        .where('id', '=', id)
        .executeTakeFirst()
      if (row === undefined) return
      const more = conversationBytes(metadata) - conversationBytes(decodeJson(row.metadata))
      await transaction
        .updateTable('conversation')
        .set({ metadata: encodeJson(metadata), bytes: sql<number>`bytes + ${more}` })
        .where('id', '=', id)
        .execute()
    })
  }

  /** With its items. */
  async remove(id: string): Promise<void> {
    await this.#kysely.transaction().execute(async transaction => {
      // first what additions wait for, so that none comes behind
      await transaction.deleteFrom('conversation').where('id', '=', id).execute()
      await transaction.deleteFrom('conversation_item').where('conversation_id', '=', id).execute()
    })
  }

  /**
   * Adds items at the end. Those whose ids are there already are left out, so adding the same again changes nothing.
   *
   * @param most what the conversation may have then. Default: it is not looked at
   * @returns whether there is such a conversation
   * @throws MeshError `invalid_request` for more than that, and then nothing changes
   */
  async addItems(id: string, items: readonly StoredItem[], most?: ConversationSize): Promise<boolean> {
    return await this.#kysely.transaction().execute(transaction => addWithin(transaction, id, items, most))
  }

  async items(id: string, { after, order, limit }: ItemFilter) {
    const place = after === undefined ? undefined : await this.#placeOf(id, after)
    if (after !== undefined && place === undefined) {
      throw invalidRequest('after', `after is "${after.slice(0, 64)}", which is no item of this conversation`)
    }
    const rows = await this.#kysely
      .selectFrom('conversation_item')
      .select('item')
      .where('conversation_id', '=', id)
      .$if(place !== undefined, query => query.where('place', order === 'asc' ? '>' : '<', place ?? 0))
      .orderBy('place', order)
      .limit(limit + 1)
      .execute()
    return { items: rows.slice(0, limit).map(({ item }) => toItem(item)), hasMore: rows.length > limit }
  }

  async item(id: string, itemId: string): Promise<StoredItem | undefined> {
    const row = await this.#kysely
      .selectFrom('conversation_item')
      .select('item')
      .where('conversation_id', '=', id)
      .where('id', '=', itemId)
      .executeTakeFirst()
    return row === undefined ? undefined : toItem(row.item)
  }

  /** @returns whether there was one */
  async removeItem(id: string, itemId: string): Promise<boolean> {
    return await this.#kysely.transaction().execute(async transaction => {
      // the conversation first, as everywhere: two that lock in another order wait for each other
      await takePlaces(transaction, id, 0)
      const removed = await transaction
        .deleteFrom('conversation_item')
        .where('conversation_id', '=', id)
        .where('id', '=', itemId)
        .returning('bytes')
        .executeTakeFirst()
      if (removed === undefined) return false
      await grow(transaction, id, { items: -1, bytes: -removed.bytes })
      return true
    })
  }

  async #placeOf(id: string, itemId: string): Promise<number | undefined> {
    const row = await this.#kysely
      .selectFrom('conversation_item')
      .select('place')
      .where('conversation_id', '=', id)
      .where('id', '=', itemId)
      .executeTakeFirst()
    return row?.place
  }
}

/** Bytes that a new conversation with these items takes. */
export function sizeOf(metadata: Conversation['metadata'], items: readonly StoredItem[]): number {
  return conversationBytes(metadata) + itemsBytes(items)
}

/** Bytes that items take. */
export function itemsBytes(items: readonly StoredItem[]): number {
  return items.reduce((sum, item) => sum + ITEM_OVERHEAD_BYTES + Buffer.byteLength(encodeJson(item)), 0)
}

function conversationBytes(metadata: Conversation['metadata']): number {
  return CONVERSATION_OVERHEAD_BYTES + Buffer.byteLength(encodeJson(metadata))
}

/** @throws MeshError `invalid_request` for a conversation that is larger */
export function requireSize({ items, bytes }: ConversationSize, most: ConversationSize): void {
  if (items <= most.items && bytes <= most.bytes) return
  const what = items > most.items ? `${items} items, at most ${most.items}` : `${bytes} bytes, at most ${most.bytes}`
  throw invalidRequest('conversation', `the conversation would have ${what}`, 'Begin another, or delete items of it.')
}

/** As {@link ConversationStore.addItems}. */
async function addWithin(
  transaction: Transaction<Tables>,
  id: string,
  items: readonly StoredItem[],
  most?: ConversationSize
): Promise<boolean> {
  const first = await takePlaces(transaction, id, items.length)
  if (first === undefined) return false
  const there = await idsThere(transaction, id, items)
  const fresh = new Map(items.map((item, index) => [item.id, toRow(id, first + index, item)]))
  for (const known of there) fresh.delete(known)
  const rows = [...fresh.values()]
  for (let at = 0; at < rows.length; at += ITEMS_AT_ONCE) {
    await transaction
      .insertInto('conversation_item')
      .values(rows.slice(at, at + ITEMS_AT_ONCE))
      .execute()
  }
  const more = { items: rows.length, bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0) }
  const size = await grow(transaction, id, more)
  if (most !== undefined) requireSize(size, most)
  return true
}

/** Takes places at the end, and keeps others from doing so until the transaction ends. */
async function takePlaces(transaction: Transaction<Tables>, id: string, count: number): Promise<number | undefined> {
  const row = await transaction
    .updateTable('conversation')
    .set({ next_place: sql<number>`next_place + ${count}` })
    .where('id', '=', id)
    .returning('next_place')
    .executeTakeFirst()
  return row === undefined ? undefined : row.next_place - count
}

async function idsThere(
  transaction: Transaction<Tables>,
  id: string,
  items: readonly StoredItem[]
): Promise<ReadonlySet<string>> {
  const there = new Set<string>()
  for (let at = 0; at < items.length; at += ITEMS_AT_ONCE) {
    const rows = await transaction
      .selectFrom('conversation_item')
      .select('id')
      .where('conversation_id', '=', id)
      .where(
        'id',
        'in',
        items.slice(at, at + ITEMS_AT_ONCE).map(item => item.id)
      )
      .execute()
    for (const row of rows) there.add(row.id)
  }
  return there
}

async function grow(
  transaction: Transaction<Tables>,
  id: string,
  { items, bytes }: ConversationSize
): Promise<ConversationSize> {
  const row = await transaction
    .updateTable('conversation')
    .set({ item_count: sql<number>`item_count + ${items}`, bytes: sql<number>`bytes + ${bytes}` })
    .where('id', '=', id)
    .returning(['item_count', 'bytes'])
    .executeTakeFirst()
  return { items: row?.item_count ?? 0, bytes: row?.bytes ?? 0 }
}

function toRow(conversationId: string, place: number, item: StoredItem) {
  return { conversation_id: conversationId, place, id: item.id, item: encodeJson(item), bytes: itemsBytes([item]) }
}

function toItem(text: string): StoredItem {
  return decodeJson<StoredItem>(text)
}
