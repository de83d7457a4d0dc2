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
