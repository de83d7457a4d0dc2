import type { GenerationEvent, Usage } from '@resultity/generation'
import type { FinishReason } from '@resultity/interface'
import type { StreamView } from '@resultity/jobs'
import type { ServedDecoder } from '@resultity/placement'
import type { Job, JobEvent } from '@resultity/store'
import type { ModelTokenizer } from '@resultity/tokenizer'
import { CHOICE, type ChoiceBuilder, type ChoiceReport, REPORT } from '../answer/answer-run.ts'
import { toTokenUsage } from '../answer/token-usage.ts'
import { fingerprint } from '../chat/chat-answer.ts'
import type { MeshReport } from '../chat/chat-schema.ts'
import { LogprobWriter } from './completion-logprobs.ts'
import type { Completion, CompletionChunk, CompletionLogprobs, CompletionPiece } from './completion-schema.ts'

type TokenEvent = Extract<GenerationEvent, { type: 'token' }>

/** One finished choice. */
export type CompletionChoice = Completion['choices'][number]

/** Builds the objects of one completion, streamed or whole: the same id, time and model in all of them. */
export class CompletionAnswer {
  readonly #head: Pick<Completion, 'id' | 'object' | 'created' | 'model' | 'system_fingerprint'>
  readonly #includeUsage: boolean

  constructor(model: ServedDecoder, job: Job, options: { readonly includeUsage: boolean }) {
    this.#head = {
      id: `cmpl-${job.id.replace(/^req_/, '')}`,
      object: 'text_completion',
      created: Math.floor(job.createdAtMs / 1000),
      model: model.id,
      system_fingerprint: fingerprint(model)
    }
    this.#includeUsage = options.includeUsage
  }

  whole(choices: readonly CompletionChoice[], usage: Usage, mesh?: MeshReport): Completion {
    return {
      ...this.#head,
      choices: [...choices],
      usage: toTokenUsage(usage),
      ...(mesh === undefined ? {} : { mesh })
    }
  }

  chunk(piece: CompletionPiece): CompletionChunk {
    return { ...this.#head, choices: [piece], ...(this.#includeUsage ? { usage: null } : {}) }
  }

  /** After the last choice, for clients that asked for it. */
  usageChunk(usage: Usage): CompletionChunk | undefined {
    if (!this.#includeUsage) return undefined
    return { ...this.#head, choices: [], usage: toTokenUsage(usage) }
  }
}

/** Pieces as they come, one finish for each choice, usage, `[DONE]`. */
export function completionView(answer: CompletionAnswer): StreamView {
  const reports = new Map<number, MeshReport>()
  const render = ({ type, data }: JobEvent): unknown[] => {
    if (type === REPORT) {
      const { index, mesh } = data as ChoiceReport
      reports.set(index, mesh)
    }
    if (type !== CHOICE) return []
    const piece = data as CompletionPiece
    const mesh = piece.finish_reason === null ? undefined : reports.get(piece.index)
    return [{ ...answer.chunk(piece), ...(mesh === undefined ? {} : { mesh }) }]
  }
  return {
    begin: () => [],
    render,
    end: job => {
      const usage = job.usage === null ? undefined : answer.usageChunk(job.usage)
      return usage === undefined ? ['[DONE]'] : [usage, '[DONE]']
    }
  }
}

export interface CompletionMakerInit {
  readonly index: number
  readonly tokenizer: ModelTokenizer
  readonly withLogprobs: boolean
  readonly prompt: readonly number[]
  /** The prompt's text, where the client wants it back. */
  readonly echoed: string | undefined
  /** Leave out what is generated: only the prompt was asked about. */
  readonly promptOnly: boolean
}

/** The text of one choice, with the probabilities of its tokens where they are asked for. */
export class CompletionMaker implements ChoiceBuilder<CompletionChoice> {
  readonly #init: CompletionMakerInit
  readonly #logprobs: LogprobWriter | undefined
  #text = ''
  #echoed = false
  #answering = false
  #finishReason: FinishReason = 'length'

  constructor(init: CompletionMakerInit) {
    this.#init = init
    this.#logprobs = init.withLogprobs ? new LogprobWriter(init.tokenizer) : undefined
  }

  take(event: GenerationEvent): CompletionPiece[] {
    const echo = this.#echo()
    if (event.type === 'prompt') {
      const { prompt } = this.#init
      const tokens = event.scores.map((score, at) => [prompt[event.position + at] ?? 0, score] as const)
      return [...echo, ...this.#piece('', this.#logprobs?.add(tokens))]
    }
    if (this.#init.promptOnly) return echo
    const logprobs = event.type === 'token' ? this.#likelihood(event) : undefined
    return [...echo, ...this.#piece(event.text, logprobs)]
  }

  finish(reason: FinishReason): { entries: CompletionPiece[]; outcome: FinishReason } {
    const echo = this.#echo()
    this.#finishReason = this.#init.promptOnly ? 'length' : reason
    const last = { index: this.#init.index, text: '', logprobs: null, finish_reason: this.#finishReason }
    return { entries: [...echo, last], outcome: this.#finishReason }
  }

  choice(): CompletionChoice {
    const { index } = this.#init
    return { index, text: this.#text, logprobs: this.#logprobs?.whole ?? null, finish_reason: this.#finishReason }
  }

  /** The prompt's text, before anything else; its first token has no probability, and begins it. */
  #echo(): CompletionPiece[] {
    const { echoed, prompt } = this.#init
    if (this.#echoed || echoed === undefined) return []
    this.#echoed = true
    return this.#piece(echoed, this.#logprobs?.add([[prompt[0] ?? 0, null]]))
  }

  #likelihood({ tokenId, logprob = 0, top = [] }: TokenEvent): CompletionLogprobs | undefined {
    if (!this.#answering) this.#logprobs?.begin(this.#init.echoed?.length ?? 0)
    this.#answering = true
    return this.#logprobs?.add([[tokenId, { logprob, top }]])
  }

  #piece(text: string, logprobs: CompletionLogprobs | undefined): CompletionPiece[] {
    if (text === '' && logprobs === undefined) return []
    this.#text += text
    return [{ index: this.#init.index, text, logprobs: logprobs ?? null, finish_reason: null }]
  }
}
