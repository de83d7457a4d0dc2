import { type ApiRoute, parseInput } from '@resultity/api-kit'
import { invalidRequest, type Scheduler, systemScheduler } from '@resultity/interface'
import {
  BEGUN,
  type JobAnswer,
  type JobContext,
  type JobKind,
  jobBodyOf,
  type PreparedJob,
  type StreamView
} from '@resultity/jobs'
import { canReason, type HttpEndpoint, IGNORED_FIELDS, randomSeed } from '@resultity/openai'
import type { ServedDecoder, ServedModels } from '@resultity/placement'
import type { Job, JobUsage, JsonValue } from '@resultity/store'
import { z } from 'zod'
import { inClientWords } from './client-words.ts'
import { nanoseconds, waitedMs } from './durations.ts'
import { servedName } from './model-names.ts'
import { ollamaErrors } from './ollama-errors.ts'
import { doneReason, NOTHING, SaidReader, wholeOf } from './said.ts'
import type { Task, TextDialect } from './text-dialect.ts'
import type { ChatBody, GenerateBody, Measures } from './text-schema.ts'
import { lineOf, TextView } from './text-view.ts'

export interface TextEndpointComponents {
  readonly models: ServedModels
  /** What an answer is made of. */
  readonly chat: JobKind
  readonly completion: JobKind
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

interface PreparedText {
  readonly request: StoredText
  readonly by: Task['by']
  /** What the chat completion, or completion, is run by. */
  readonly inner: unknown
  /** The client only wants to know that the model is there. */
  readonly loads: boolean
}

type StoredText = { readonly model: string } & (ChatBody | GenerateBody)

/** Where this could be answered, the model is there. */
const ANYTHING: Task = {
  by: 'chat',
  body: { messages: [{ role: 'user', content: '.' }], max_completion_tokens: 1 }
}

/** As far as it is known: who computed nothing has measured nothing. */
const reportSchema = z.looseObject({ mesh: z.looseObject({ ttftMs: z.number().catch(0) }).optional() })

/**
 * A route of Ollama's that generates text. Its answers are chat completions, or completions, that are asked for and told in
 * other words, and its log is theirs.
 */
export class TextEndpoint<Body extends ChatBody | GenerateBody> implements HttpEndpoint<PreparedText> {
  readonly api: ApiRoute
  readonly path: string
  readonly errorFormat = ollamaErrors
  readonly #components: TextEndpointComponents
  readonly #dialect: TextDialect<Body>

  constructor(components: TextEndpointComponents, dialect: TextDialect<Body>) {
    this.api = dialect.api
    this.path = dialect.api.path
    this.#components = components
    this.#dialect = dialect
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedText>> {
    const { models } = this.#components
    const parsed = parseInput(this.#dialect.schema, body)
    const model = models.findDecoder(servedName(models, parsed.model))
    const { id, placeable } = model
    refuseThoughts(parsed.think, model)
    const seed = parsed.options?.seed ?? -1
    const request = { ...parsed, model: id, options: { ...parsed.options, seed: seed === -1 ? randomSeed() : seed } }
    const task = this.#dialect.taskOf(request, placeable.contextLength)
    const { by, body: asked } = task ?? { ...ANYTHING, body: { ...ANYTHING.body, model: id, mesh: parsed.mesh } }
    const inner = await inClientWords(
      () => this.#components[by].prepare(asked),
      param => this.#dialect.paramOf(param)
    )
    const loads = task === undefined
    // a model that cannot be told has ignored `think`, unless it was told to do what it does anyway
    const ignored = parsed.think !== true && inner.headers?.[IGNORED_FIELDS] !== undefined
    return {
      lane: inner.lane,
      request: request as JsonValue,
      streamed: parsed.stream !== false,
      outlivesClient: inner.outlivesClient,
      tokens: loads ? { prompt: 0, answerMax: 0 } : inner.tokens,
      ...(inner.places === undefined ? {} : { places: inner.places }),
      ...(ignored ? { headers: { [IGNORED_FIELDS]: 'think' } } : {}),
      unstored: parsed.store === false,
      data: { request, by, inner: inner.data, loads }
    }
  }

  check({ by, inner }: PreparedText): void {
    this.#components[by].check(inner)
  }

  view(job: Job): StreamView {
    const { model = '' } = parseInput(this.#dialect.schema, jobBodyOf(job).request)
    return new TextView(job, model, this.#dialect)
  }

  async run({ request, by, inner, loads }: PreparedText, context: JobContext): Promise<JobAnswer> {
    const { scheduler = systemScheduler } = this.#components
    const { job, log } = context
    if (loads) {
      await log.note(BEGUN, { headers: {} })
      const body = lineOf(job, request.model, this.#dialect, NOTHING, { done_reason: 'load' })
      return { result: { status: 200, headers: {}, body: body as JsonValue }, usage: null }
    }
    const startMs = scheduler.monotonic()
    const { result, usage } = await this.#components[by].run(inner, context)
    const whole = wholeOf(result.body)
    const [said = NOTHING] = new SaidReader().take(whole)
    const { mesh } = reportSchema.parse(result.body)
    const measures = {
      done_reason: doneReason(whole),
      ...measuresOf(job, usage, { elapsedMs: scheduler.monotonic() - startMs, firstMs: mesh?.ttftMs ?? 0 })
    }
    const body = lineOf(job, request.model, this.#dialect, said, measures)
    return { result: { status: 200, headers: result.headers, body: body as JsonValue }, usage }
  }
}

/** @throws MeshError `invalid_request`, as Ollama has it, where a model that does not think is told to */
function refuseThoughts(think: ChatBody['think'], model: ServedDecoder): void {
  if (think === undefined || think === null || think === false || canReason(model)) return
  throw invalidRequest('think', `"${model.id}" does not think apart from its answer`, 'Send false, or leave think out.')
}

function measuresOf(
  job: Job,
  usage: JobUsage | null,
  { elapsedMs, firstMs }: { readonly elapsedMs: number; readonly firstMs: number }
): Measures {
  const waited = waitedMs(job)
  return {
    total_duration: nanoseconds(waited + elapsedMs),
    load_duration: nanoseconds(waited),
    prompt_eval_count: usage?.promptTokens ?? 0,
    prompt_eval_duration: nanoseconds(firstMs),
    eval_count: usage?.completionTokens ?? 0,
    eval_duration: nanoseconds(elapsedMs - firstMs)
  }
}
