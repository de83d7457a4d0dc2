import { randomUUID } from 'node:crypto'
import { type Clock, MeshError } from '@resultity/interface'
import type { DiskSpace } from '@resultity/jobs'
import {
  itemPrefix,
  type ResponseConversations,
  type ResponseItem,
  requireServed,
  toItemView
} from '@resultity/responses'
import type { NamespaceBytes } from '@resultity/store'
import {
  type Conversation,
  type ConversationSize,
  type ConversationStore,
  type ItemFilter,
  itemsBytes,
  requireSize,
  type StoredItem,
  sizeOf
} from './conversation-store.ts'

export interface ConversationServiceComponents {
  readonly conversations: ConversationStore
  readonly bytes: NamespaceBytes
  readonly disk: Pick<DiskSpace, 'requireSpace'>
  readonly clock: Clock
}

export interface ConversationServiceInit {
  /** Most bytes of a conversation: a request must have room for it. */
  readonly conversationBytesMax: number
}

/** Items of a conversation: as many as the input of a response may have. */
const ITEMS_MAX = 8192

/** Keeps conversations: what was said in them, and what responses add to that. Nobody sees those of another namespace. */
export class ConversationService implements ResponseConversations {
  readonly #components: ConversationServiceComponents
  readonly #most: ConversationSize

  constructor(components: ConversationServiceComponents, { conversationBytesMax: bytes }: ConversationServiceInit) {
    this.#components = components
    this.#most = { items: ITEMS_MAX, bytes }
  }

  /**
   * @throws MeshError `invalid_request` naming the part of an item that is not served; `storage_quota_exceeded`;
   * `storage_low`
   */
  async create(
    namespace: string,
    metadata: Conversation['metadata'],
    items: readonly ResponseItem[]
  ): Promise<Conversation> {
    const { conversations, clock } = this.#components
    const stored = toStored(items)
    const size = { items: stored.length, bytes: sizeOf(metadata, stored) }
    requireSize(size, this.#most)
    const conversation = { id: newId('conv'), namespace, metadata, createdAtMs: clock.now() }
    await this.#withRoom(namespace, size.bytes, () => conversations.add(conversation, stored))
    return { ...conversation, itemCount: size.items, bytes: size.bytes }
  }

  /** @throws MeshError `not_found`, also for one of another namespace: its existence is nobody's business */
  async find(namespace: string, id: string): Promise<Conversation> {
    const conversation = await this.#components.conversations.find(id)
    if (conversation?.namespace === namespace) return conversation
    throw noSuch('conversation', id, 'It may have been deleted. POST /v1/conversations begins one.')
  }

  /** @throws MeshError as {@link find} does; `storage_quota_exceeded`; `storage_low` */
  async setMetadata(namespace: string, id: string, metadata: Conversation['metadata']): Promise<Conversation> {
    const conversation = await this.find(namespace, id)
    const more = sizeOf(metadata, []) - sizeOf(conversation.metadata, [])
    await this.#withRoom(namespace, Math.max(0, more), () => this.#components.conversations.setMetadata(id, metadata))
    return { ...conversation, metadata }
  }

  /** Removes one with its items. @throws MeshError as {@link find} does */
  async remove(namespace: string, id: string): Promise<void> {
    await this.find(namespace, id)
    await this.#components.conversations.remove(id)
  }

  /**
   * Adds items at the end, under new ids.
   *
   * @returns them as they are listed
   * @throws MeshError as {@link create} and {@link find} do; `invalid_request` for more than a conversation may have
   */
  async addItems(namespace: string, id: string, items: readonly ResponseItem[]): Promise<readonly StoredItem[]> {
    const { conversations } = this.#components
    await this.find(namespace, id)
    const stored = toStored(items)
    const isThere = await this.#withRoom(namespace, itemsBytes(stored), () =>
      conversations.addItems(id, stored, this.#most)
    )
    // it was removed a moment ago
    if (!isThere) await this.find(namespace, id)
    return stored
  }

  /** @throws MeshError as {@link find} does; `invalid_request` when `after` is none of its items */
  async items(namespace: string, id: string, filter: ItemFilter) {
    await this.find(namespace, id)
    return await this.#components.conversations.items(id, filter)
  }

  /** @throws MeshError as {@link find} does; `not_found` */
  async item(namespace: string, id: string, itemId: string): Promise<StoredItem> {
    await this.find(namespace, id)
    const item = await this.#components.conversations.item(id, itemId)
    if (item !== undefined) return item
    throw noSuch('item', itemId, `GET /v1/conversations/${id}/items lists them.`)
  }

  /** @throws MeshError as {@link item} does */
  async removeItem(namespace: string, id: string, itemId: string): Promise<Conversation> {
    await this.item(namespace, id, itemId)
    await this.#components.conversations.removeItem(id, itemId)
    return await this.find(namespace, id)
  }

  async historyOf(namespace: string, id: string): Promise<readonly ResponseItem[]> {
    const { itemCount: items, bytes } = await this.find(namespace, id)
    requireSize({ items, bytes }, this.#most)
    const page = await this.#components.conversations.items(id, { order: 'asc', limit: ITEMS_MAX })
    return page.items
  }

  /** What an answer has cost is not lost for want of room: the next request is refused instead. */
  async append(namespace: string, id: string, items: readonly ResponseItem[]): Promise<void> {
    const { conversations } = this.#components
    const conversation = await conversations.find(id)
    if (conversation?.namespace === namespace) await conversations.addItems(id, items.map(toItemView))
  }

  /** Bytes count in their namespace before they are stored, so that many at once do not exceed its limit. */
  async #withRoom<T>(namespace: string, bytes: number, store: () => Promise<T>): Promise<T> {
    await this.#components.disk.requireSpace()
    const reservation = await this.#components.bytes.reserve(namespace, bytes)
    try {
      return await store()
    } finally {
      await reservation.release()
    }
  }
}

/** @throws MeshError `invalid_request` naming the part of an item that is not served */
function toStored(items: readonly ResponseItem[]): readonly StoredItem[] {
  requireServed(items, 'items')
  return items.map(item => toItemView({ ...item, id: newId(itemPrefix(item.type ?? 'message')) }))
}

function newId(prefix: string): string {
  return `${prefix}_${randomUUID().replaceAll('-', '')}`
}

function noSuch(what: 'conversation' | 'item', id: string, hint: string): MeshError {
  const param = what === 'conversation' ? 'conversation_id' : 'item_id'
  return new MeshError('not_found', `there is no ${what} "${id.slice(0, 64)}"`, { hint, details: { param } })
}
