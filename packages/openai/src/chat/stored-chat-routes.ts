import { type ApiRoute, addRoute, parseInput } from '@resultity/api-kit'
import { invalidRequest } from '@resultity/interface'
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

type ById = { Params: { id: string } }

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

const deletedSchema = z.object({
  id: z.string(),
  object: z.literal('chat.completion.deleted'),
  deleted: z.literal(true)
})

/** As OpenAI's description has these two lists: ids of an empty page are empty, and not null. */
function pageOf<T extends z.ZodType>(id: string, item: T) {
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

function toPage<T extends { readonly id: string }>(data: readonly T[], hasMore: boolean) {
  return { object: 'list', data, first_id: data[0]?.id ?? '', last_id: data.at(-1)?.id ?? '', has_more: hasMore }
}

const ONE = `${CHAT_COMPLETIONS}/{id}`

const routes = {
  list: {
    method: 'GET',
    path: CHAT_COMPLETIONS,
    id: 'listChatCompletions',
    summary: 'Your chat completions that were made with `store: true`, the oldest first.',
    query: listQuerySchema,
    answers: { 200: { json: pageOf('ChatCompletionList', storedChatSchema) } },
    errors: [400]
  },
  retrieve: {
    method: 'GET',
    path: ONE,
    id: 'getChatCompletion',
    summary: 'A stored chat completion.',
    answers: { 200: { json: storedChatSchema } },
    errors: [404]
  },
  change: {
    method: 'POST',
    path: ONE,
    id: 'updateChatCompletion',
    summary: 'Files a stored chat completion under other metadata.',
    body: changeSchema,
    answers: { 200: { json: storedChatSchema } },
    errors: [400, 404]
  },
  remove: {
    method: 'DELETE',
    path: ONE,
    id: 'deleteChatCompletion',
    summary: 'Removes a stored chat completion, with all that was kept of it.',
    answers: { 200: { json: deletedSchema } },
    errors: [404]
  },
  messages: {
    method: 'GET',
    path: `${ONE}/messages`,
    id: 'getChatCompletionMessages',
    summary: 'The messages that a stored chat completion answered.',
    query: messagesQuerySchema,
    answers: { 200: { json: pageOf('ChatCompletionMessageList', storedMessageSchema) } },
    errors: [400, 404]
  }
} as const satisfies Readonly<Record<string, ApiRoute>>

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
    const { after, order, limit } = parseInput(messagesQuerySchema, request.query)
    const all = storedMessages(await own(store, request))
    if (order === 'desc') all.reverse()
    const seen = after === undefined ? -1 : all.findIndex(({ id }) => id === after)
    if (after !== undefined && seen < 0) throw unknownCursor(after, 'message of this chat completion')
    return toPage(all.slice(seen + 1, seen + 1 + limit), seen + 1 + limit < all.length)
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
  return toPage(jobs.map(toStoredChat), hasMore)
}

function unknownCursor(after: string, what: string) {
  return invalidRequest('after', `after is "${after.slice(0, 64)}", which is no ${what}`)
}
