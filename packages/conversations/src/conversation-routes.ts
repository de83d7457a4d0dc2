import { addRoute, type ById, parseInput, Resource, toTextPage } from '@resultity/api-kit'
import type { FastifyInstance } from 'fastify'
import {
  type ConversationView,
  changedConversationSchema,
  conversationSchema,
  deletedConversationSchema,
  itemListSchema,
  itemSchema,
  itemsQuerySchema,
  newConversationSchema,
  newItemsSchema
} from './conversation-schema.ts'
import type { ConversationService } from './conversation-service.ts'
import type { Conversation } from './conversation-store.ts'

export interface ConversationRouteComponents {
  readonly conversations: ConversationService
}

interface ByItem {
  Params: { id: string; item: string }
}

/** Statuses of what is stored. */
const STORING = [413, 429, 503, 507]

const conversationResource = new Resource('/v1/conversations')
const itemResource = new Resource('/v1/conversations/{id}/items', { param: 'item', errors: [404] })

const routes = {
  create: conversationResource.create({
    id: 'createConversation',
    summary: 'Begins a conversation, which responses may belong to.',
    bodyOptional: true,
    body: newConversationSchema,
    json: conversationSchema,
    errors: STORING
  }),
  retrieve: conversationResource.retrieve({
    id: 'getConversation',
    summary: 'What is known of a conversation, without its items.',
    json: conversationSchema
  }),
  change: conversationResource.change({
    id: 'updateConversation',
    summary: 'Files a conversation under other metadata.',
    body: changedConversationSchema,
    json: conversationSchema,
    errors: STORING
  }),
  remove: conversationResource.remove({
    id: 'deleteConversation',
    summary: 'Removes a conversation with its items; responses that belong to it stay.',
    json: deletedConversationSchema
  }),
  listItems: itemResource.list({
    id: 'listConversationItems',
    summary: 'The items of a conversation, the newest first.',
    query: itemsQuerySchema,
    json: itemListSchema
  }),
  createItems: itemResource.create({
    id: 'createConversationItems',
    summary: 'Adds items at the end of a conversation.',
    body: newItemsSchema,
    json: itemListSchema,
    errors: STORING
  }),
  retrieveItem: itemResource.retrieve({
    id: 'getConversationItem',
    summary: 'An item of a conversation.',
    json: itemSchema
  }),
  removeItem: itemResource.remove({
    id: 'deleteConversationItem',
    summary: 'Removes an item of a conversation, and answers with the conversation.',
    json: conversationSchema
  })
}

/** `/v1/conversations`, and the items of each. */
export function addConversationRoutes(server: FastifyInstance, { conversations }: ConversationRouteComponents): void {
  addRoute(server, routes.create, async ({ caller, body }) => {
    // OpenAI's client sends no body where there is nothing to say
    const { metadata, items } = parseInput(newConversationSchema, body === undefined ? {} : body)
    return toView(await conversations.create(caller.namespace, metadata ?? {}, items ?? []))
  })
  addRoute<ById>(server, routes.retrieve, async ({ caller, params }) =>
    toView(await conversations.find(caller.namespace, params.id))
  )
  addRoute<ById>(server, routes.change, async ({ caller, params, body }) => {
    const { metadata } = parseInput(changedConversationSchema, body)
    return toView(await conversations.setMetadata(caller.namespace, params.id, metadata ?? {}))
  })
  addRoute<ById>(server, routes.remove, async ({ caller, params: { id } }) => {
    await conversations.remove(caller.namespace, id)
    return { id, object: 'conversation.deleted', deleted: true }
  })
  addRoute<ById>(server, routes.listItems, async ({ caller, params, query }) => {
    const filter = parseInput(itemsQuerySchema, query)
    const { items, hasMore } = await conversations.items(caller.namespace, params.id, filter)
    return toTextPage(items, hasMore)
  })
  addRoute<ById>(server, routes.createItems, async ({ caller, params, body }) => {
    const { items } = parseInput(newItemsSchema, body)
    return toTextPage(await conversations.addItems(caller.namespace, params.id, items), false)
  })
  addRoute<ByItem>(server, routes.retrieveItem, async ({ caller, params }) =>
    conversations.item(caller.namespace, params.id, params.item)
  )
  addRoute<ByItem>(server, routes.removeItem, async ({ caller, params }) =>
    toView(await conversations.removeItem(caller.namespace, params.id, params.item))
  )
}

function toView({ id, metadata, createdAtMs }: Conversation): ConversationView {
  return { id, object: 'conversation', created_at: Math.floor(createdAtMs / 1000), metadata: { ...metadata } }
}
