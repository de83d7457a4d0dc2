import { type ApiRoute, parseInput } from '@resultity/api-kit'
import type { GenerationEvent } from '@resultity/generation'
import type { FinishReason } from '@resultity/interface'
import { type JobAnswer, type JobContext, jobBodyOf, type PreparedJob, type StreamView } from '@resultity/jobs'
import type { ServedDecoder } from '@resultity/placement'
import type { Job } from '@resultity/store'
import type { ModelTokenizer } from '@resultity/tokenizer'
import { type AnswerEndpointComponents, answerJob } from '../answer/answer-job.ts'
import { AnswerRun, type ChoiceBuilder } from '../answer/answer-run.ts'
import { IGNORED_FIELDS } from '../answer/ignored-fields.ts'
import { RELAXED_HEADER } from '../answer/relaxed-header.ts'
import { requirePlace } from '../answer/require-place.ts'
import { refuseUnserved } from '../fields/refuse-unserved.ts'
import type { HttpEndpoint } from '../requests/job-routes.ts'
import { type ChoiceDelta, type ChoiceFinish, ChoiceText } from '../tools/choice-text.ts'
import { ChatAnswer, type ChatChoice, type ChatChunkChoice, type LogprobEntry, logprobEntry } from './chat-answer.ts'
import { shownPieces } from './chat-pictures.ts'
import {
  type ChatGeneration,
  type ChatRequestComponents,
  choiceRequest,
  toGenerationRequest,
  withSeed
} from './chat-request.ts'
import { type ChatRequest, chatChunkSchema, chatCompletionSchema, chatRequestSchema } from './chat-schema.ts'
import { chatView } from './chat-view.ts'

export const CHAT_COMPLETIONS = '/v1/chat/completions'

const createChatCompletion: ApiRoute = {
  method: 'POST',
  path: CHAT_COMPLETIONS,
  id: 'createChatCompletion',
  summary: 'Answers a conversation, whole or as server-sent events.',
  body: chatRequestSchema,
  answers: {
    200: {
      description: 'The answer. Streamed: chunks as `data:` events, then `data: [DONE]`.',
      json: chatCompletionSchema,
      events: chatChunkSchema,
      headers: {
        'x-resultity-route': 'Who computed the answer: `PEER[first,end) PEER[first,end) …`.',
        [IGNORED_FIELDS]: 'Fields of the request that the model has no use for: `reasoning_effort`.',
        ...RELAXED_HEADER
      }
    }
  }
}

export type ChatEndpointComponents = AnswerEndpointComponents & Pick<ChatRequestComponents, 'chatPictures'>

/** `POST /v1/chat/completions`, whole and streamed. */
export class ChatEndpoint implements HttpEndpoint<PreparedChat> {
  readonly api = createChatCompletion
  readonly path = createChatCompletion.path
  readonly #components: ChatEndpointComponents

  constructor(components: ChatEndpointComponents) {
    this.#components = components
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedChat>> {
    const { models, pools } = this.#components
    const request = withSeed(refuseUnserved('chat', parseInput(chatRequestSchema, body)))
    const model = models.findDecoder(request.model)
    const routing = pools.routing(model, request.mesh)
    const generation = await toGenerationRequest(request, model, this.#components, routing)
    return {
      ...answerJob(request, model, routing),
      tokens: { prompt: generation.prompt.length, answerMax: generation.tokensMax * (request.n ?? 1) },
      places: Math.min(request.n ?? 1, model.placeable.sessionsMax),
      ...(generation.ignored.length === 0 ? {} : { headers: { [IGNORED_FIELDS]: generation.ignored.join(', ') } }),
      ...(request.store === true ? { metadata: request.metadata ?? {} } : {}),
      data: { request, model, generation }
    }
  }

  check({ model, generation }: PreparedChat): void {
    requirePlace(this.#components.director, model.placeable, generation.routing)
  }

  view(job: Job): StreamView {
    const request = parseInput(chatRequestSchema, jobBodyOf(job).request)
    return chatView(answerOf(job, request, this.#components.models.findDecoder(request.model)), request)
  }

  async run(chat: PreparedChat, context: JobContext): Promise<JobAnswer> {
    const { request, model, generation } = chat
    const shown = await this.#shown(generation, context)
    const plan = {
      model,
      requests: Array.from({ length: request.n ?? 1 }, (_, index) => choiceRequest(shown, index)),
      promptTokens: generation.prompt.length,
      relaxed: generation.relaxed,
      builder: (index: number) => new ChatChoiceBuilder(index, chat, context.job)
    }
    const { choices, usage, mesh, headers } = await new AnswerRun(this.#components, plan, context).run()
    const body = answerOf(context.job, request, model).completion(choices, request.logprobs === true, usage, mesh)
    return { result: { status: 200, headers, body }, usage }
  }

  /** With the pictures that the prompt shows: they are cut when the answer begins, and not before. */
  async #shown(generation: ChatGeneration, { signal }: JobContext): Promise<ChatGeneration> {
    const { shown, prompt } = generation
    const { chatPictures } = this.#components
    if (shown === undefined || chatPictures === undefined) return generation
    return { ...generation, pieces: await shownPieces(shown, prompt, chatPictures, { signal }) }
  }
}

interface PreparedChat {
  readonly request: ChatRequest
  readonly model: ServedDecoder
  readonly generation: ChatGeneration
}

/** One choice: its text and calls, with the probabilities of its tokens where they are asked for. */
class ChatChoiceBuilder implements ChoiceBuilder<ChatChoice> {
  readonly #index: number
  readonly #tokenizer: ModelTokenizer
  readonly #withLogprobs: boolean
  readonly #withTools: boolean
  readonly #withReasoning: boolean
  readonly #text: ChoiceText
  readonly #logprobs: LogprobEntry[] = []
  /** Of tokens before the answer's first text. */
  #unsaid: LogprobEntry[] = []
  #answering = false
  #finishReason: ChoiceFinish = 'stop'
  #stop: string | undefined

  constructor(index: number, { request, model, generation: { toolUse } }: PreparedChat, job: Job) {
    this.#index = index
    this.#tokenizer = model.tokenizer
    this.#withLogprobs = request.logprobs === true
    this.#withTools = toolUse !== undefined
    this.#withReasoning = request.include_reasoning !== false
    this.#text = new ChoiceText({ toolUse, id: `${job.id} ${index}` })
  }

  get done(): boolean {
    return this.#text.done
  }

  take(event: GenerationEvent): ChatChunkChoice[] {
    if (event.type === 'prompt') return []
    const { reasoning } = event
    const deltas = this.#withReasoning && reasoning !== undefined ? this.#text.reason(reasoning) : []
    deltas.push(...this.#text.push(event.text))
    if (event.type === 'end') {
      this.#stop = event.stop
      deltas.push(...this.#text.flush())
    }
    return this.#pieces(deltas, this.#withLogprobs ? this.#scored(event) : [])
  }

  finish(reason: FinishReason): { entries: ChatChunkChoice[]; outcome: ChoiceFinish } {
    this.#finishReason = this.#text.finish(reason)
    const stop = this.#stop === undefined ? {} : { stop_reason: this.#stop }
    const entry = { index: this.#index, delta: {}, finish_reason: this.#finishReason, ...stop, logprobs: null }
    return { entries: [entry], outcome: this.#finishReason }
  }

  choice(): ChatChoice {
    const { content, reasoning, toolCalls, functionCall } = this.#text
    return {
      content,
      reasoning,
      toolCalls,
      functionCall,
      logprobs: this.#logprobs,
      finishReason: this.#finishReason,
      stop: this.#stop
    }
  }

  /**
   * What is now said of tokens of the answer. Before it those of an opening tag come, which are not known to be one at once: nothing
   * is said before a text has come.
   */
  #scored(event: GenerationEvent): LogprobEntry[] {
    if (event.type === 'token') {
      if (event.reasoning !== undefined) this.#unsaid = []
      else this.#unsaid.push(logprobEntry(this.#tokenizer, event))
    }
    this.#answering ||= event.text !== '' || event.type === 'end'
    if (!this.#answering) return []
    const entries = this.#unsaid
    this.#unsaid = []
    this.#logprobs.push(...entries)
    return entries
  }

  /** One entry a delta; what is said of tokens goes with the first, or alone while their text is held back. */
  #pieces(deltas: readonly ChoiceDelta[], logprobs: readonly LogprobEntry[]): ChatChunkChoice[] {
    const first = logprobs.length === 0 ? null : { content: [...logprobs], refusal: null }
    // an empty text beside calls is one that clients show
    const nothing: ChoiceDelta = this.#withTools ? {} : { content: '' }
    const shown = deltas.length > 0 || first === null ? deltas : [nothing]
    return shown.map((delta, at) => ({
      index: this.#index,
      delta,
      finish_reason: null,
      logprobs: at === 0 ? first : null
    }))
  }
}

function answerOf(job: Job, request: ChatRequest, model: ServedDecoder): ChatAnswer {
  return new ChatAnswer(model, job, { includeUsage: request.stream_options?.include_usage === true })
}
