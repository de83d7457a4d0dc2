import { MeshError } from '@resultity/interface'
import type { Job, JobEvent, JsonValue } from '@resultity/store'
import type { Generation, GenerationRequest, Generator, Usage } from '../generation/generation.ts'
import { jobBodyOf } from '../jobs/job-body.ts'
import { BEGUN, type JobAnswer, type JobContext, type PreparedJob, type StreamView } from '../jobs/job-endpoint.ts'
import { modelLane } from '../jobs/model-places.ts'
import type { PlacementDirector } from '../placement/placement-director.ts'
import type { ServedDecoder, ServedModels } from '../served-models.ts'
import { type ChoiceDelta, type ChoiceFinish, ChoiceText } from '../tools/choice-text.ts'
import { toolUseOf } from '../tools/tool-use.ts'
import { AnswerTiming } from './answer-timing.ts'
import type { ApiRoute } from './api-route.ts'
import {
  ChatAnswer,
  type ChatChoice,
  type ChatChunkChoice,
  type LogprobEntry,
  logprobEntry,
  routeHeader
} from './chat-answer.ts'
import { choiceRequest, toGenerationRequest, withSeed } from './chat-request.ts'
import {
  type ChatRequest,
  chatChunkSchema,
  chatCompletionSchema,
  chatRequestSchema,
  type MeshReport
} from './chat-schema.ts'
import type { HttpEndpoint } from './job-routes.ts'
import type { Metrics } from './metrics.ts'
import { parseInput } from './parse-body.ts'

export interface ChatEndpointComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
  readonly generator: Generator
  readonly metrics: Metrics
}

/** Entries of a chat completion's log: a piece of a choice, how its computing went, what it all took. */
const CHOICE = 'choice'
const REPORT = 'report'
const USAGE = 'usage'

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
  }
}

/** `POST /v1/chat/completions`, whole and streamed. */
export class ChatEndpoint implements HttpEndpoint {
  readonly api = createChatCompletion
  readonly path = createChatCompletion.path
  readonly #components: ChatEndpointComponents

  constructor(components: ChatEndpointComponents) {
    this.#components = components
  }

  prepare(body: unknown): PreparedJob {
    const { models, director } = this.#components
    const request = withSeed(parseInput(chatRequestSchema, body))
    const model = models.findDecoder(request.model)
    const generation = toGenerationRequest(request, model)
    return {
      lane: modelLane(model.id),
      request: request as JsonValue,
      streamed: request.stream === true,
      outlivesClient: request.mesh?.on_disconnect === 'continue',
      tokens: { prompt: generation.prompt.length, answerMax: generation.tokensMax * (request.n ?? 1) },
      check: () => {
        const choice = director.choose(model.placeable, generation.stages)
        if (choice.type === 'error') throw choice.error
      },
      run: context => this.#run({ request, model, generation }, context)
    }
  }

  view(job: Job): StreamView {
    const request = parseInput(chatRequestSchema, jobBodyOf(job).request)
    return chatView(answerOf(job, request, this.#components.models.findDecoder(request.model)), request.n ?? 1)
  }

  async #run(chat: PreparedChat, context: JobContext): Promise<JobAnswer> {
    const { metrics } = this.#components
    try {
      return await new ChatRun(this.#components, chat, context).run()
    } catch (error) {
      const known = MeshError.from(error)
      metrics.generations.inc({ model: chat.model.id, outcome: known.code })
      throw known
    }
  }
}

interface PreparedChat {
  readonly request: ChatRequest
  readonly model: ServedDecoder
  readonly generation: GenerationRequest
}

/** One attempt at a chat completion: its choices, as many at once as there are slots. */
class ChatRun {
  readonly #components: ChatEndpointComponents
  readonly #chat: PreparedChat
  readonly #context: JobContext
  readonly #timing = new AnswerTiming()
  readonly #choices: ChatChoice[] = []
  #usage: Usage = { promptTokens: 0, completionTokens: 0 }
  #mesh: MeshReport | undefined
  #route = ''

  constructor(components: ChatEndpointComponents, chat: PreparedChat, context: JobContext) {
    this.#components = components
    this.#chat = chat
    this.#context = context
  }

  async run(): Promise<JobAnswer> {
    const { request, model } = this.#chat
    await this.#makeChoices(request.n ?? 1)
    const usage = this.#usage
    await this.#context.log.add(USAGE, { ...usage })
    if (this.#mesh === undefined) throw new MeshError('internal', 'the answer had no end')
    const answer = answerOf(this.#context.job, request, model)
    const body = answer.completion(this.#choices, request.logprobs === true, usage, this.#mesh)
    return { result: { status: 200, headers: { 'x-resultity-route': this.#route }, body }, usage }
  }

  /** The first that fails fails all. */
  async #makeChoices(count: number): Promise<void> {
    let next = 0
    const failed = new AbortController()
    const signal = AbortSignal.any([this.#context.signal, failed.signal])
    const work = async (): Promise<void> => {
      while (next < count && !signal.aborted) await this.#choice(next++, signal)
    }
    const workers = Math.min(count, this.#chat.model.placeable.sessionsMax)
    const results = await Promise.allSettled(
      Array.from({ length: workers }, () =>
        work().catch(error => {
          failed.abort(error)
          throw error
        })
      )
    )
    const first = results.find(result => result.status === 'rejected')
    if (first !== undefined) throw failed.signal.aborted ? failed.signal.reason : first.reason
  }

  async #choice(index: number, signal: AbortSignal): Promise<void> {
    const { generator } = this.#components
    await using generation = await generator.start(choiceRequest(this.#chat.generation, index), { signal })
    if (index === 0) {
      this.#route = routeHeader(generation.route)
      await this.#context.log.note(BEGUN, { headers: { 'x-resultity-route': this.#route } })
    }
    const choice = await this.#read(index, generation)
    this.#choices[index] = choice
  }

  async #read(index: number, generation: Generation): Promise<ChatChoice> {
    const { request, model } = this.#chat
    const text = new ChoiceText({ toolUse: toolUseOf(request), id: `${this.#context.job.id} ${index}` })
    const logprobs: LogprobEntry[] = []
    let tokens = 0
    for await (const event of generation.events) {
      if (event.type === 'prompt') continue
      const deltas = text.push(event.text)
      if (event.type === 'end') deltas.push(...text.flush())
      const entry =
        event.type === 'token' && request.logprobs === true ? logprobEntry(model.tokenizer, event) : undefined
      if (entry !== undefined) logprobs.push(entry)
      await this.#logDeltas(index, deltas, entry)
      if (event.type === 'token') {
        tokens++
        this.#countToken()
        if (!text.done) continue
      }
      const promptTokens = this.#chat.generation.prompt.length
      const { usage, finishReason } =
        event.type === 'end'
          ? event
          : { usage: { promptTokens, completionTokens: tokens }, finishReason: 'stop' as const }
      const { content, toolCalls } = text
      const choice = { content, toolCalls, logprobs, finishReason: text.finish(finishReason) }
      return this.#finish(index, generation, choice, usage)
    }
    throw new MeshError('internal', 'the answer had no end')
  }

  async #finish(index: number, generation: Generation, choice: ChatChoice, usage: Usage): Promise<ChatChoice> {
    this.#end(usage, choice.finishReason)
    const mesh = this.#timing.report(generation.route)
    if (index === 0) this.#mesh = mesh
    await this.#context.log.note(REPORT, { index, mesh })
    await this.#log({ index, delta: {}, finish_reason: choice.finishReason, logprobs: null })
    return choice
  }

  /** One entry a delta; what is said of the token goes with the first, or alone while its text is held back. */
  async #logDeltas(index: number, deltas: readonly ChoiceDelta[], logprob: LogprobEntry | undefined): Promise<void> {
    const first = logprob === undefined ? null : { content: [logprob], refusal: null }
    const shown = deltas.length > 0 || first === null ? deltas : [{ content: '' }]
    for (const [at, delta] of shown.entries()) {
      await this.#log({ index, delta, finish_reason: null, logprobs: at === 0 ? first : null })
    }
  }

  async #log(choice: ChatChunkChoice): Promise<void> {
    if (this.#context.log.wanted) await this.#context.log.add(CHOICE, choice)
  }

  #end({ promptTokens, completionTokens }: Usage, outcome: ChoiceFinish): void {
    const { metrics } = this.#components
    metrics.generations.inc({ model: this.#chat.model.id, outcome })
    metrics.promptTokens.inc({ model: this.#chat.model.id }, promptTokens)
    this.#usage = { promptTokens, completionTokens: this.#usage.completionTokens + completionTokens }
  }

  #countToken(): void {
    const { metrics } = this.#components
    const model = this.#chat.model.id
    const { first, ms } = this.#timing.token()
    const histogram = first ? metrics.firstTokenSeconds : metrics.tokenSeconds
    histogram.observe({ model }, ms / 1000)
    metrics.completionTokens.inc({ model })
  }
}

function answerOf(job: Job, request: ChatRequest, model: ServedDecoder): ChatAnswer {
  return new ChatAnswer(model, job, { includeUsage: request.stream_options?.include_usage === true })
}

/** Chunks, in the order that clients need: role, pieces, one finish for each choice, usage, `[DONE]`. */
function chatView(answer: ChatAnswer, choiceCount: number): StreamView {
  const reports = new Map<number, MeshReport>()
  const render = ({ type, data }: JobEvent): unknown[] => {
    if (type === REPORT) {
      const { index, mesh } = data as { index: number; mesh: MeshReport }
      reports.set(index, mesh)
      return []
    }
    if (type === CHOICE) {
      const choice = data as ChatChunkChoice
      const mesh = choice.finish_reason === null ? undefined : reports.get(choice.index)
      return [{ ...answer.chunk(choice), ...(mesh === undefined ? {} : { mesh }) }]
    }
    return []
  }
  return {
    begin: () => Array.from({ length: choiceCount }, (_, index) => answer.roleChunk(index)),
    render,
    end: job => {
      const usage = job.usage === null ? undefined : answer.usageChunk(job.usage)
      return usage === undefined ? ['[DONE]'] : [usage, '[DONE]']
    }
  }
}
