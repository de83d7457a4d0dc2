import { deletedOf, textPagedListOf } from '@resultity/api-kit'
import { metadataSchema } from '@resultity/openai'
import { responseItemSchema } from '@resultity/responses'
import { z } from 'zod'

/** Items of one request, as OpenAI limits them. */
const ITEMS_MAX = 20
const PAGE_MAX = 100

const items = z.array(responseItemSchema).max(ITEMS_MAX)

/** Body of `POST /v1/conversations`. */
export const newConversationSchema = z
  .looseObject({ metadata: metadataSchema.nullish(), items: items.nullish() })
  .meta({ id: 'CreateConversationRequest' })

/** Body of `POST /v1/conversations/{id}`. */
export const changedConversationSchema = z
  .looseObject({ metadata: metadataSchema.nullable() })
  .meta({ id: 'UpdateConversationRequest' })

/** Body of `POST /v1/conversations/{id}/items`. */
export const newItemsSchema = z.looseObject({ items }).meta({ id: 'CreateConversationItemsRequest' })

export const itemsQuerySchema = z.looseObject({
  order: z.enum(['asc', 'desc']).default('desc'),
  after: z.string().max(512).optional(),
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(20)
})

export const conversationSchema = z
  .object({
    id: z.string(),
    object: z.literal('conversation'),
    /** Unix seconds. */
    created_at: z.int(),
    metadata: z.record(z.string(), z.string())
  })
  .meta({ id: 'Conversation' })
export type ConversationView = z.infer<typeof conversationSchema>

export const deletedConversationSchema = deletedOf('conversation.deleted')

/** An item as it is listed: all that its kind has beside these. */
export const itemSchema = z.looseObject({ id: z.string(), type: z.string() }).meta({ id: 'ConversationItem' })

export const itemListSchema = textPagedListOf('ConversationItemList', itemSchema)
