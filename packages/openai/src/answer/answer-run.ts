import { createHash } from 'node:crypto'
import type {
  AnswerExtent,
  Constraints,
  Generation,
  GenerationEvent,
  GenerationRequest,
  Generator,
  Usage
} from '@resultity/generation'
import { type FinishReason, MeshError, type Scheduler, systemScheduler } from '@resultity/interface'
import { BEGUN, type JobContext } from '@resultity/jobs'
import type { ServedDecoder } from '@resultity/placement'
import type { Job, JsonValue } from '@resultity/store'
import { routeHeader } from '../chat/chat-answer.ts'
import type { MeshReport } from '../chat/chat-schema.ts'
import { AnswerCheck } from './answer-check.ts'
import type { AnswerMetrics } from './answer-metrics.ts'
import { AnswerTiming } from './answer-timing.ts'
import { keptChoice } from './kept-choices.ts'
import { relaxedHeaders } from './relaxed-header.ts'
import { SharedPrompts } from './shared-prompts.ts'

/** Entries of an answer's log: a piece of a choice, how its computing went, what it all took. */
export const CHOICE = 'choice'
export const REPORT = 'report'
export const USAGE = 'usage'

/** A choice's `report` entry. */
export type ChoiceReport = { readonly index: number; readonly mesh: MeshReport }

/** One choice in the making: what is generated goes in, entries of the log come out, and the choice in the end. */
export interface ChoiceBuilder<C> {
  /** What the log says of this event; nothing when nobody would see anything of it. */
  take(event: GenerationEvent): readonly JsonValue[]
  /** The choice is complete, whatever else would be generated. Default false. */
  readonly done?: boolean
  /** The last entries of the log, and how the choice ended. Nothing is taken after it. */
  finish(reason: FinishReason): { readonly entries: readonly JsonValue[]; readonly outcome: string }
  /** Complete after {@link finish}. */
  choice(): C
}

/** What an endpoint wants generated. */
export interface AnswerPlan<C> {
  readonly model: ServedDecoder
  /** One for each choice, by index. */
  readonly requests: readonly GenerationRequest[]
  /** Tokens of all prompts; a prompt with several choices counts once. */
  readonly promptTokens: number
  /** Places in the request of keywords that are not enforced. */
  readonly relaxed?: readonly string[]
  /** Entries carry this index, so that a further attempt finds its own. */
  builder(index: number): ChoiceBuilder<C>
}

export interface Answer<C> {
  readonly choices: readonly C[]
  readonly usage: Usage
  /** Of the first choice. */
  readonly mesh: MeshReport
  readonly headers: Readonly<Record<string, string>>
}

export interface AnswerRunComponents {
  readonly generator: Generator
  readonly constraints: Constraints
  readonly metrics: AnswerMetrics
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/** One attempt at an answer: its choices, as many at once as there are slots. */
export class AnswerRun<C> {
  readonly #components: AnswerRunComponents
  readonly #plan: AnswerPlan<C>
  readonly #context: JobContext
  readonly #timing: AnswerTiming
  readonly #prompts: SharedPrompts
  readonly #choices: C[] = []
  #cachedTokens = 0
  #completionTokens = 0
  #reasoningTokens = 0
  #mesh: MeshReport | undefined
  #headers: Readonly<Record<string, string>> | undefined

  constructor(components: AnswerRunComponents, plan: AnswerPlan<C>, context: JobContext) {
    this.#components = components
    const { scheduler = systemScheduler } = components
    this.#timing = new AnswerTiming(() => scheduler.monotonic())
    this.#plan = plan
    this.#context = context
    const { generator } = components
    this.#prompts = new SharedPrompts(
      plan.requests,
      request => generator.keepsPrompt?.(request, context.job.class) ?? false
    )
  }

  /** @throws MeshError as {@link Generator.start} and a generation's events do */
  async run(): Promise<Answer<C>> {
    try {
      return await this.#answer()
    } catch (error) {
      const known = MeshError.from(error)
      this.#components.metrics.generations.inc({ model: this.#plan.model.id, outcome: known.code })
      throw known
    }
  }

  async #answer(): Promise<Answer<C>> {
    await this.#makeChoices().finally(() => this.#observePace())
    const spent = {
      promptTokens: this.#plan.promptTokens,
      completionTokens: this.#completionTokens,
      ...(this.#reasoningTokens === 0 ? {} : { reasoningTokens: this.#reasoningTokens })
    }
    // without what stages had kept: another attempt may find more of it, or less
    await this.#context.log.add(USAGE, spent)
    const usage = this.#cachedTokens === 0 ? spent : { ...spent, cachedTokens: this.#cachedTokens }
    if (this.#mesh === undefined || this.#headers === undefined) throw new MeshError('internal', 'there was no answer')
    return { choices: this.#choices, usage, mesh: this.#mesh, headers: this.#headers }
  }

  /** The first that fails fails all. */
  async #makeChoices(): Promise<void> {
    const { requests, model } = this.#plan
    const waiting = requests.entries()
    const failed = new AbortController()
    const signal = AbortSignal.any([this.#context.signal, failed.signal])
    const work = async (): Promise<void> => {
      for (const [index, request] of waiting) {
        if (signal.aborted) return
        await this.#choice(index, request, signal).finally(() => this.#prompts.computed(index))
      }
    }
    const workers = Math.min(requests.length, model.placeable.sessionsMax)
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

  async #choice(index: number, request: GenerationRequest, signal: AbortSignal): Promise<void> {
    const { generator } = this.#components
    const { job, log, losses } = this.#context
    const { class: workClass, namespace } = job
    const wrong = new AbortController()
    const progress = keptChoice(log, index, this.#plan.requests.length)
    // what is wrong is not gone on with
    wrong.signal.addEventListener('abort', () => progress?.discard(), { once: true })
    const options = {
      signal: AbortSignal.any([signal, wrong.signal]),
      workClass,
      namespace,
      watched: log.wanted,
      losses,
      fence: fenceOf(job),
      progress
    }
    await this.#prompts.turn(index)
    await using generation = await generator.start(request, options)
    if (this.#headers === undefined) {
      // said by whichever comes first: a reader sees nothing that was logged before
      const relaxed = relaxedHeaders(this.#plan.relaxed ?? [])
      this.#headers = { 'x-resultity-route': routeHeader(generation.route), ...relaxed }
      await log.note(BEGUN, { headers: this.#headers })
    }
    const choice = await this.#read(index, generation, request, wrong).catch(error => {
      throw losses.told(error)
    })
    this.#choices[index] = choice
  }

  /** @param wrong ends the generation as one whose answer is wrong: nothing is kept of it */
  async #read(index: number, generation: Generation, request: GenerationRequest, wrong: AbortController): Promise<C> {
    const builder = this.#plan.builder(index)
    const check = new AnswerCheck(this.#components.constraints, request)
    const end = (extent: AnswerExtent): Promise<void> =>
      check.end(extent, generation.route, this.#context).catch(error => {
        wrong.abort(error)
        throw error
      })
    let resumed = generation.resumed ?? 0
    for await (const event of generation.events) {
      check.push(event)
      // before its last piece is told, as far as there is one
      if (event.type === 'end') await end(event.complete ? 'whole' : 'beginning')
      const behind = this.#log(builder.take(event))
      if (behind !== undefined) await behind
      if (event.type === 'token') {
        this.#prompts.computed(index)
        // those of an earlier attempt were counted then
        if (resumed > 0) resumed--
        else this.#countToken()
      }
      if (event.type !== 'end' && builder.done !== true) continue
      if (event.type !== 'end') await end('beginning')
      const usage = event.type === 'end' ? event.usage : generation.usage
      const { entries, outcome } = builder.finish(event.type === 'end' ? event.finishReason : 'stop')
      await this.#end(index, generation, usage, outcome)
      await this.#log(entries)
      return builder.choice()
    }
    throw new MeshError('internal', 'the answer had no end')
  }

  async #end(index: number, generation: Generation, usage: Usage, outcome: string): Promise<void> {
    const { metrics } = this.#components
    const model = this.#plan.model.id
    metrics.generations.inc({ model, outcome })
    const { promptTokens, cachedTokens = 0 } = usage
    metrics.promptTokens.inc({ model }, promptTokens)
    if (cachedTokens > 0) metrics.cachedTokens.inc({ model }, cachedTokens)
    if (this.#prompts.isFirst(index)) this.#cachedTokens += cachedTokens
    this.#completionTokens += usage.completionTokens
    this.#reasoningTokens += usage.reasoningTokens ?? 0
    const mesh = this.#timing.report(generation)
    const { reroutes } = mesh
    if (reroutes !== undefined) metrics.reroutes.inc({ model, exact: String(reroutes.exact) }, reroutes.count)
    if (index === 0) this.#mesh = mesh
    await this.#context.log.note(REPORT, { index, mesh })
  }

  /** Synchronous where it can be: this is the path of every token of every stream. */
  #log(entries: readonly JsonValue[]): Promise<void> | undefined {
    const { log } = this.#context
    if (!log.wanted) return undefined
    const behind = entries.map(entry => log.add(CHOICE, entry)).filter(wait => wait !== undefined)
    return behind.length === 0 ? undefined : Promise.all(behind).then(() => {})
  }

  #countToken(): void {
    const { metrics } = this.#components
    const model = this.#plan.model.id
    const { first, ms } = this.#timing.token()
    if (first) metrics.firstTokenSeconds.observe({ model }, ms / 1000)
    else if (this.#context.log.wanted) metrics.tokenSeconds.observe({ model }, ms / 1000)
    metrics.completionTokens.inc({ model })
  }

  /** Of tokens that nobody watches several come at once: each counts with the mean of all. */
  #observePace(): void {
    if (this.#context.log.wanted) return
    const { count, ms } = this.#timing.pace
    const { metrics } = this.#components
    const model = this.#plan.model.id
    for (let token = 0; token < count; token++) metrics.tokenSeconds.observe({ model }, ms / 1000)
  }
}

/** A coordinator that slept must not go on with a job that another has claimed since. Nobody can guess a job's id. */
function fenceOf({ id, attempts }: Job): { readonly key: Uint8Array; readonly term: number } {
  return { key: createHash('sha256').update(`attempts of ${id}`).digest().subarray(0, 16), term: attempts }
}
