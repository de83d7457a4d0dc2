import { type ApiRoute, parseInput } from '@resultity/api-kit'
import type { Clock } from '@resultity/interface'
import type { JobAnswer, JobContext, JobKind, PreparedJob, StreamView } from '@resultity/jobs'
import {
  type HttpEndpoint,
  IGNORED_FIELDS,
  IGNORED_TOOLS,
  RELAXED_HEADER,
  refuseUnserved,
  wholePiece,
  withSeed
} from '@resultity/openai'
import type { ServedModels } from '@resultity/placement'
import type { Job, JobStore, JsonValue } from '@resultity/store'
import { addedItems, conversationOf, type ResponseConversations } from './response-conversation.ts'
import { withHistory } from './response-history.ts'
import { RESPONSES } from './response-ids.ts'
import { finished, responseOf } from './response-object.ts'
import { ResponseOutput } from './response-output.ts'
import { ignoredTools, inResponseTerms, toChatBody } from './response-request.ts'
import {
  type ResponseRequest,
  responseEventSchema,
  responseRequestSchema,
  responseSchema,
  storedResponseSchema
} from './response-schema.ts'
import { ResponseView } from './response-view.ts'

export interface ResponseEndpointComponents {
  readonly models: ServedModels
  /** What a response is made of. */
  readonly chat: JobKind
  readonly store: JobStore
  readonly conversations: ResponseConversations
  readonly clock: Clock
}

const createResponse: ApiRoute = {
  method: 'POST',
  path: RESPONSES,
  id: 'createResponse',
  summary: 'Answers a conversation of items: whole, as server-sent events, or in the background.',
  body: responseRequestSchema,
  answers: {
    200: {
      description: 'The response. Streamed: events that each name their type. In the background: its id, to ask with.',
      json: responseSchema,
      events: responseEventSchema,
      headers: {
        'x-resultity-route': 'Who computed the answer: `PEER[first,end) PEER[first,end) …`.',
        [IGNORED_TOOLS]:
          'Tools of the request that OpenAI would run and that are not served: the model was not told of them.',
        [IGNORED_FIELDS]: 'Fields of the request that the model has no use for: `reasoning.effort`.',
        ...RELAXED_HEADER
      }
    }
  }
}

interface PreparedResponse {
  readonly request: ResponseRequest
  /** What the chat completion is run by. */
  readonly chat: unknown
}

/**
 * `POST /v1/responses`. A response is a chat completion that is asked for and told in other words; its log is that of
 * the chat completion.
 */
export class ResponseEndpoint implements HttpEndpoint<PreparedResponse> {
  readonly api = createResponse
  readonly path = createResponse.path
  readonly #components: ResponseEndpointComponents

  constructor(components: ResponseEndpointComponents) {
    this.#components = components
  }

  /** Fetches what the body refers to: the conversation that it goes on with. */
  async complete(body: unknown, namespace: string): Promise<unknown> {
    return await withHistory(this.#components, namespace, parseInput(responseRequestSchema, body))
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedResponse>> {
    const parsed = withSeed(refuseUnserved('responses', parseInput(storedResponseSchema, body)))
    const request = { ...parsed, model: this.#components.models.findDecoder(parsed.model).id }
    const chat = await this.#prepareChat(request)
    const background = request.background === true
    const ignored = ignoredTools(request)
    const headers = {
      ...(ignored.length === 0 ? {} : { [IGNORED_TOOLS]: ignored.join(', ') }),
      ...(chat.headers?.[IGNORED_FIELDS] === undefined ? {} : { [IGNORED_FIELDS]: 'reasoning.effort' })
    }
    return {
      lane: chat.lane,
      request: request as JsonValue,
      streamed: request.stream === true,
      outlivesClient: background || chat.outlivesClient,
      background,
      tokens: chat.tokens,
      ...(chat.places === undefined ? {} : { places: chat.places }),
      unstored: request.store === false,
      ...(Object.keys(headers).length === 0 ? {} : { headers }),
      data: { request, chat: chat.data }
    }
  }

  check({ chat }: PreparedResponse): void {
    this.#components.chat.check(chat)
  }

  view(job: Job): StreamView {
    return new ResponseView(job)
  }

  acknowledge(job: Job): unknown {
    return responseOf(job)
  }

  async #prepareChat(request: ResponseRequest): Promise<PreparedJob> {
    const body = toChatBody(request)
    try {
      return await this.#components.chat.prepare(body)
    } catch (error) {
      throw inResponseTerms(error, request)
    }
  }

  async run({ request, chat }: PreparedResponse, context: JobContext): Promise<JobAnswer> {
    const { result, usage } = await this.#components.chat.run(chat, context)
    const piece = wholePiece(result.body)
    const output = new ResponseOutput(context.job)
    output.take(piece)
    const { clock, conversations } = this.#components
    const nowMs = clock.now()
    const body = finished(context.job, request, {
      output: output.items,
      finishReason: piece.finish_reason,
      usage,
      nowMs
    })
    const conversation = conversationOf(request)
    if (conversation !== undefined && request.store !== false) {
      await conversations.append(context.job.namespace, conversation, addedItems(context.job, request, output.items))
    }
    return { result: { status: 200, headers: result.headers, body: body as JsonValue }, usage }
  }
}
