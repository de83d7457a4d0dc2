import { invalidRequest, type MeshError } from '@resultity/interface'
import { z } from 'zod'

/** `{object: 'list', data}`, as OpenAI lists; `id` names the schema. */
export function listOf<T extends z.ZodType>(id: string, item: T) {
  return z.object({ object: z.literal('list'), data: z.array(item) }).meta({ id })
}

/** A list that comes page by page, as {@link toPage} makes it. */
export function pagedListOf<T extends z.ZodType>(id: string, item: T) {
  return z
    .object({
      object: z.literal('list'),
      data: z.array(item),
      first_id: z.string().nullable(),
      last_id: z.string().nullable(),
      has_more: z.boolean()
    })
    .meta({ id })
}

/** One page of a list. The next begins after `last_id`. */
export function toPage<T extends { readonly id: string }>(data: readonly T[], hasMore: boolean) {
  return {
    object: 'list' as const,
    data: [...data],
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore
  }
}

/** A list as {@link pagedListOf}, where OpenAI has empty texts instead of null for the ids of an empty page. */
export function textPagedListOf<T extends z.ZodType>(id: string, item: T) {
  return z
    .object({
      object: z.literal('list'),
      data: z.array(item),
      first_id: z.string(),
      last_id: z.string(),
      has_more: z.boolean()
    })
    .meta({ id })
}

/** One page of a {@link textPagedListOf}. */
export function toTextPage<T extends { readonly id: string }>(data: readonly T[], hasMore: boolean) {
  const page = toPage(data, hasMore)
  return { ...page, first_id: page.first_id ?? '', last_id: page.last_id ?? '' }
}

export interface PageWanted {
  /** Id of the last entry that was seen. */
  readonly after?: string | undefined
  readonly order: 'asc' | 'desc'
  readonly limit: number
}

/**
 * A page of entries that are all there, the oldest first.
 *
 * @param what an entry is, for the error
 * @throws MeshError `invalid_request` when `after` is none of them
 */
export function pageOfAll<T extends { readonly id: string }>(
  entries: readonly T[],
  { after, order, limit }: PageWanted,
  what: string
) {
  const all = order === 'desc' ? entries.toReversed() : entries
  const seen = after === undefined ? -1 : all.findIndex(({ id }) => id === after)
  if (after !== undefined && seen < 0) throw unknownCursor(after, what)
  const end = seen + 1 + limit
  return toTextPage(all.slice(seen + 1, end), end < all.length)
}

/** The error for an `after` that is not an entry of the list. */
export function unknownCursor(after: string, what: string): MeshError {
  return invalidRequest('after', `after is "${after.slice(0, 64)}", which is no ${what}`)
}
