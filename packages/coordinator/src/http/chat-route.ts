import type { Clock } from '@resultity/interface'
import { MeshError } from '@resultity/interface'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Generation, GenerationDriver, GenerationEvent } from '../generation/generation.ts'
import type { ServedDecoder, ServedModels } from '../served-models.ts'
import type { CoordinatorLimits } from '../settings.ts'
import { AnswerTiming } from './answer-timing.ts'
import { type ApiRoute, addRoute } from './api-route.ts'
import { ChatAnswer, routeHeader } from './chat-answer.ts'
import { toGenerationRequest } from './chat-request.ts'
import { type ChatRequest, chatChunkSchema, chatCompletionSchema, chatRequestSchema } from './chat-schema.ts'
import { errorEvent } from './error-reply.ts'
import { EventStream } from './event-stream.ts'
import type { Metrics } from './metrics.ts'
import { parseInput } from './parse-body.ts'
import type { RequestDesk } from './request-desk.ts'

export interface ChatRouteComponents {
  readonly models: ServedModels
  readonly driver: GenerationDriver
  readonly metrics: Metrics
  readonly desk: RequestDesk
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: CoordinatorLimits
}

/** One chat completion on its way. */
interface Exchange {
  readonly model: ServedDecoder
  readonly generation: Generation
  readonly answer: ChatAnswer
  readonly timing: AnswerTiming
}

const createChatCompletion: ApiRoute = {
  method: 'POST',
  path: '/v1/chat/completions',
  id: 'createChatCompletion',
  summary: 'Answers a conversation, whole or as server-sent events.',
  body: chatRequestSchema,
  answers: {
    200: {
      description: 'The answer. Streamed: chunks as `data:` events, then `data: [DONE]`.',
      json: chatCompletionSchema,
      events: chatChunkSchema,
      headers: { 'x-resultity-route': 'Who computed the answer: `PEER[first,end) PEER[first,end) …`.' }
    }
  },
  errors: [400, 404, 413, 429, 503, 504]
}

/** `POST /v1/chat/completions`, whole and streamed. */
export function addChatRoute(server: FastifyInstance, components: ChatRouteComponents): void {
  addRoute(server, createChatCompletion, async (request, reply) => {
    using ticket = components.desk.admit(reply.raw)
    const timing = new AnswerTiming()
    const body = parseInput(chatRequestSchema, request.body)
    const model = components.models.findDecoder(body.model)
    try {
      await using generation = await components.driver.start(toGenerationRequest(body, model), {
        signal: ticket.signal
      })
      const exchange = { model, generation, timing, answer: newAnswer(components, model, body) }
      reply.header('x-resultity-route', routeHeader(generation.route))
      if (body.stream === true) return await stream(components, exchange, request, reply)
      return await complete(components, exchange)
    } catch (error) {
      const known = MeshError.from(error)
      components.metrics.generations.inc({ model: model.id, outcome: known.code })
      throw known
    }
  })
}

function newAnswer({ clock }: ChatRouteComponents, model: ServedDecoder, body: ChatRequest): ChatAnswer {
  return new ChatAnswer(model, {
    nowMs: clock.now(),
    includeUsage: body.stream_options?.include_usage === true,
    logprobs: body.logprobs === true
  })
}

/** Waits for all of the answer. */
async function complete(components: ChatRouteComponents, exchange: Exchange) {
  const { generation, answer, timing } = exchange
  let text = ''
  const logprobs: NonNullable<NonNullable<ReturnType<ChatAnswer['logprobsOf']>>['content']> = []
  for await (const event of generation.events) {
    text += event.text
    if (event.type === 'token') {
      countToken(components, exchange)
      logprobs.push(...(answer.logprobsOf(event)?.content ?? []))
      continue
    }
    countEnd(components, exchange, event)
    const mesh = timing.report(generation.route)
    return answer.completion(text, logprobs, { finishReason: event.finishReason, usage: event.usage, mesh })
  }
  throw new MeshError('internal', 'the answer had no end')
}

/** Sends the answer as it comes. From here on an error can only be an event of the stream. */
async function stream(
  components: ChatRouteComponents,
  exchange: Exchange,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<FastifyReply> {
  reply.hijack()
  const events = new EventStream(reply.raw, { ...components.limits, headers: textHeaders(reply) })
  try {
    await sendAnswer(components, exchange, events)
  } catch (error) {
    await sendError(components, exchange, events, request, MeshError.from(error))
  } finally {
    events.end()
    components.metrics.requests.inc({ route: createChatCompletion.path, method: 'POST', status: '200' })
  }
  return reply
}

async function sendAnswer(components: ChatRouteComponents, exchange: Exchange, events: EventStream): Promise<void> {
  const { answer, generation, timing } = exchange
  await events.send(answer.roleChunk())
  for await (const event of generation.events) {
    const logprobs = event.type === 'token' ? answer.logprobsOf(event) : null
    const chunk = answer.textChunk(event.text, logprobs)
    if (chunk !== undefined) await events.send(chunk)
    if (event.type === 'token') {
      countToken(components, exchange)
      continue
    }
    countEnd(components, exchange, event)
    await events.send(answer.finishChunk(event.finishReason, timing.report(generation.route)))
    const usage = answer.usageChunk(event.usage)
    if (usage !== undefined) await events.send(usage)
    await events.send('[DONE]')
  }
}

/** Tells the client, if it is still there, and ends cleanly. */
async function sendError(
  { metrics, logger }: ChatRouteComponents,
  { model }: Exchange,
  events: EventStream,
  request: FastifyRequest,
  error: MeshError
): Promise<void> {
  metrics.generations.inc({ model: model.id, outcome: error.code })
  if (error.code === 'canceled') {
    logger.info({ requestId: request.id, reason: error.message }, 'a client left its stream')
    return events.cut(error)
  }
  logger.warn({ err: error, requestId: request.id }, 'a stream ended with an error')
  try {
    await events.send(errorEvent(error))
  } catch (cause) {
    events.cut(MeshError.from(cause))
  }
}

function countToken({ metrics }: ChatRouteComponents, { model, timing }: Exchange): void {
  const { first, ms } = timing.token()
  const histogram = first ? metrics.firstTokenSeconds : metrics.tokenSeconds
  histogram.observe({ model: model.id }, ms / 1000)
  metrics.completionTokens.inc({ model: model.id })
}

function countEnd(
  { metrics }: ChatRouteComponents,
  { model }: Exchange,
  event: Extract<GenerationEvent, { type: 'end' }>
): void {
  metrics.generations.inc({ model: model.id, outcome: event.finishReason })
  metrics.promptTokens.inc({ model: model.id }, event.usage.promptTokens)
}

function textHeaders(reply: FastifyReply): Record<string, string> {
  const headers = Object.entries(reply.getHeaders())
  return Object.fromEntries(headers.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
}
