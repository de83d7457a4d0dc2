import {
  addRoute,
  type ById,
  deletedOf,
  pageOfAll,
  parseInput,
  Resource,
  textPagedListOf,
  toTextPage,
  unknownCursor
} from '@resultity/api-kit'
import type { JobStore } from '@resultity/store'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { metadataSchema } from '../answer/metadata.ts'
import { CHAT_COMPLETIONS } from './chat-endpoint.ts'
import {
  findStoredChat,
  jobIdOfChat,
  metadataOf,
  storedChatSchema,
  storedMessageSchema,
  storedMessages,
  toStoredChat
} from './stored-chat.ts'

export interface StoredChatRouteComponents {
  readonly store: JobStore
}

const PAGE_MAX = 100

const page = {
  /** Id of the last that was seen. */
  after: z.string().max(128).optional(),
  order: z.enum(['asc', 'desc']).default('asc'),
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(20)
}

/** `metadata[name]=value`, as often as wanted, beside these. */
const listQuerySchema = z.looseObject({ ...page, model: z.string().max(512).optional() })
const messagesQuerySchema = z.looseObject(page)
const changeSchema = z.looseObject({ metadata: metadataSchema.nullable() }).meta({ id: 'ChangeChatCompletionRequest' })

const chats = new Resource(CHAT_COMPLETIONS)

const routes = {
  list: chats.list({
    id: 'listChatCompletions',
    summary: 'Your chat completions that were made with `store: true`, the oldest first.',
    query: listQuerySchema,
    json: textPagedListOf('ChatCompletionList', storedChatSchema)
  }),
  retrieve: chats.retrieve({
    id: 'getChatCompletion',
    summary: 'A stored chat completion.',
    json: storedChatSchema
  }),
  change: chats.change({
    id: 'updateChatCompletion',
    summary: 'Files a stored chat completion under other metadata.',
    body: changeSchema,
    json: storedChatSchema
  }),
  remove: chats.remove({
    id: 'deleteChatCompletion',
    summary: 'Removes a stored chat completion, with all that was kept of it.',
    json: deletedOf('chat.completion.deleted')
  }),
  messages: chats.part('messages', {
    id: 'getChatCompletionMessages',
    summary: 'The messages that a stored chat completion answered.',
    query: messagesQuerySchema,
    json: textPagedListOf('ChatCompletionMessageList', storedMessageSchema)
  })
}

/** `/v1/chat/completions/{id}`: what was made with `store: true`. */
export function addStoredChatRoutes(server: FastifyInstance, { store }: StoredChatRouteComponents): void {
  addRoute(server, routes.list, async request => await list(store, request))
  addRoute<ById>(server, routes.retrieve, async request => toStoredChat(await own(store, request)))
  addRoute<ById>(server, routes.change, async request => {
    const { metadata } = parseInput(changeSchema, request.body)
    const { id } = await own(store, request)
    await store.setMetadata(id, metadata ?? {})
    return toStoredChat(await own(store, request))
  })
  addRoute<ById>(server, routes.remove, async request => {
    const { id } = await own(store, request)
    await store.remove(id)
    return { id: request.params.id, object: 'chat.completion.deleted', deleted: true }
  })
  addRoute<ById>(server, routes.messages, async request => {
    const wanted = parseInput(messagesQuerySchema, request.query)
    return pageOfAll(storedMessages(await own(store, request)), wanted, 'message of this chat completion')
  })
}

async function own(store: JobStore, { caller, params }: FastifyRequest<ById>) {
  return await findStoredChat(store, caller.namespace, params.id)
}

async function list(store: JobStore, { caller, query }: FastifyRequest) {
  const { after, order, limit, model, ...others } = parseInput(listQuerySchema, query)
  const cursor = after === undefined ? undefined : await store.get(jobIdOfChat(after) ?? '')
  if (after !== undefined && cursor?.namespace !== caller.namespace) {
    throw unknownCursor(after, 'chat completion of yours')
  }
  const { jobs, hasMore } = await store.list({
    namespace: caller.namespace,
    endpoint: CHAT_COMPLETIONS,
    states: ['succeeded'],
    metadata: metadataOf(others),
    order,
    limit,
    ...(model === undefined ? {} : { model }),
    ...(cursor === undefined ? {} : { after: cursor.id })
  })
  return toTextPage(jobs.map(toStoredChat), hasMore)
}
