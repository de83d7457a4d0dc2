import { type ApiRoute, parseInput } from '@resultity/api-kit'
import type { JobAnswer, JobContext, JobKind, PreparedJob, StreamView } from '@resultity/jobs'
import { type HttpEndpoint, IGNORED_FIELDS, IGNORED_TOOLS, wholePiece, withSeed } from '@resultity/openai'
import type { ServedModels } from '@resultity/placement'
import type { Job, JsonValue } from '@resultity/store'
import { MessageContent } from './message-content.ts'
import { messageErrors } from './message-errors.ts'
import { answered } from './message-object.ts'
import { ignoredFields, inMessageTerms, toChatBody } from './message-request.ts'
import {
  countTokensSchema,
  type MessageRequest,
  messageEventSchema,
  messageRequestSchema,
  messageSchema,
  type StoredMessage
} from './message-schema.ts'
import { ignoredTools } from './message-tools.ts'
import { MessageView } from './message-view.ts'

export interface MessageEndpointComponents {
  readonly models: ServedModels
  /** What a message is made of. */
  readonly chat: JobKind
}

const createMessage: ApiRoute = {
  method: 'POST',
  path: '/v1/messages',
  id: 'createMessage',
  summary: 'Answers a conversation as Anthropic does: whole, or as server-sent events.',
  body: messageRequestSchema,
  answers: {
    200: {
      description: 'The message. Streamed: events that each name their type.',
      json: messageSchema,
      events: messageEventSchema,
      headers: {
        'x-resultity-route': 'Who computed the answer: `PEER[first,end) PEER[first,end) …`.',
        [IGNORED_TOOLS]: 'Tools of the request that Anthropic would run: the model was not told of them.',
        [IGNORED_FIELDS]: 'Fields of the request that were passed over, such as `thinking`.'
      }
    }
  },
  errorFormat: messageErrors
}

interface PreparedMessage {
  readonly request: StoredMessage
  /** What the chat completion is run by. */
  readonly chat: unknown
}

/**
 * `POST /v1/messages`. A message is a chat completion that is asked for and told in Anthropic's words; its log is that of
 * the chat completion.
 */
export class MessageEndpoint implements HttpEndpoint<PreparedMessage> {
  readonly api = createMessage
  readonly path = createMessage.path
  readonly errorFormat = messageErrors
  readonly #components: MessageEndpointComponents

  constructor(components: MessageEndpointComponents) {
    this.#components = components
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedMessage>> {
    const parsed = withSeed(parseInput(messageRequestSchema, body))
    const asked = { ...parsed, model: this.#components.models.findDecoder(parsed.model).id }
    const chat = await this.#prepareChat(asked)
    const request = { ...asked, input_tokens: chat.tokens.prompt }
    const headers = headersOf(asked, chat.headers?.[IGNORED_FIELDS] === undefined)
    return {
      lane: chat.lane,
      request: request as JsonValue,
      streamed: asked.stream === true,
      outlivesClient: chat.outlivesClient,
      tokens: chat.tokens,
      ...(chat.places === undefined ? {} : { places: chat.places }),
      ...(Object.keys(headers).length === 0 ? {} : { headers }),
      unstored: asked.store === false,
      data: { request, chat: chat.data }
    }
  }

  /** Tokens that the prompt of a request has. @throws MeshError as {@link prepare} does */
  async countTokens(body: unknown): Promise<number> {
    const { tokens } = await this.#prepareChat({ ...parseInput(countTokensSchema, body), max_tokens: 1 })
    return tokens.prompt
  }

  check({ chat }: PreparedMessage): void {
    this.#components.chat.check(chat)
  }

  view(job: Job): StreamView {
    return new MessageView(job)
  }

  async #prepareChat(request: MessageRequest): Promise<PreparedJob> {
    const body = toChatBody(request)
    try {
      return await this.#components.chat.prepare(body)
    } catch (error) {
      throw inMessageTerms(error, request)
    }
  }

  async run({ request, chat }: PreparedMessage, context: JobContext): Promise<JobAnswer> {
    const { result, usage } = await this.#components.chat.run(chat, context)
    const end = wholePiece(result.body)
    const content = new MessageContent()
    content.take(end)
    const body = answered(context.job, request, { content: content.blocks, end, usage })
    return { result: { status: 200, headers: result.headers, body: body as JsonValue }, usage }
  }
}

/** What the client should know of how its request was read. */
function headersOf(request: MessageRequest, thinks: boolean): Readonly<Record<string, string>> {
  const tools = ignoredTools(request)
  const fields = ignoredFields(request, thinks)
  return {
    ...(tools.length === 0 ? {} : { [IGNORED_TOOLS]: tools.join(', ') }),
    ...(fields.length === 0 ? {} : { [IGNORED_FIELDS]: fields.join(', ') })
  }
}
