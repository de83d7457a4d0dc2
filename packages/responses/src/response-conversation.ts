import { isDeepStrictEqual } from 'node:util'
import { invalidRequest } from '@resultity/interface'
import type { Job } from '@resultity/store'
import { itemIdOf } from './response-ids.ts'
import { toItemView } from './response-item-view.ts'
import { inputItems } from './response-request.ts'
import type { OutputItem, ResponseItem, ResponseRequest } from './response-schema.ts'

/** Conversations that responses may belong to. */
export interface ResponseConversations {
  /**
   * What was said before, the oldest first.
   * @throws MeshError `not_found` when there is none in this namespace; `invalid_request` when it is too long to go on with
   */
  historyOf(namespace: string, id: string): Promise<readonly ResponseItem[]>
  /** Adds what was said now. What is there already is not added again, and one that was removed meanwhile gets nothing. */
  append(namespace: string, id: string, items: readonly ResponseItem[]): Promise<void>
}

/** The conversation that a response belongs to. */
export function conversationOf({ conversation }: ResponseRequest): string | undefined {
  return typeof conversation === 'string' ? conversation : conversation?.id
}

/** @throws MeshError `invalid_request` for a response that goes on from two things at once */
export function refuseTwoHistories(request: ResponseRequest): void {
  if (conversationOf(request) === undefined || typeof request.previous_response_id !== 'string') return
  throw invalidRequest('previous_response_id', 'previous_response_id is set beside conversation', 'Send one of them.')
}

/**
 * What a response adds to its conversation: its input but what the client sent again of it, and its output. The same job makes the
 * same items with the same ids.
 */
export function addedItems(job: Job, request: ResponseRequest, output: readonly OutputItem[]): ResponseItem[] {
  const before = new Map((request.history ?? []).map(item => [item.id, toItemView(item)]))
  const own = inputItems(request).flatMap((item, index): ResponseItem[] => {
    const known = item.id == null ? undefined : before.get(item.id)
    if (known !== undefined && isDeepStrictEqual(known, toItemView(item))) return []
    const derived = itemIdOf(job, item.type ?? 'message', 'in', index)
    return [toItemView({ ...item, id: known === undefined ? (item.id ?? derived) : derived })]
  })
  return [...own, ...output]
}
