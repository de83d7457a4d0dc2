import { parseInput } from '@resultity/api-kit'
import { COMPLETIONS_ENDPOINT } from '@resultity/interface'
import { completionRequestSchema, refuseUnserved, toTokenUsage } from '@resultity/openai'
import type { JsonValue } from '@resultity/store'
import { z } from 'zod'
import { notAnAnswer, readAnswer } from './not-an-answer.ts'
import { passedFields } from './passed-fields.ts'
import type { AnswerFacts, AnswerGatherer, RelayDialect, RelayedAnswer } from './relay-dialect.ts'
import { relayedSchemaOf, reportOf } from './relayed-schema.ts'
import { relayedView } from './relayed-view.ts'
import { longSeedRefused } from './seeds.ts'
import { estimatedTokens, jobUsageOf, type ToldUsage, toldUsageSchema } from './told-usage.ts'

export type CompletionRequest = z.infer<typeof completionRequestSchema>

/** OpenAI's, for completions. */
const DEFAULT_MAX_TOKENS = 16

/** Choices of all prompts together. */
const CHOICES_MAX = 2048
const TOKEN_CHARACTERS_MAX = 1024

const token = z.string().max(TOKEN_CHARACTERS_MAX)

const logprobsSchema = z.object({
  tokens: z.array(token).nullish(),
  token_logprobs: z.array(z.number().nullable()).nullish(),
  top_logprobs: z.array(z.record(token, z.number()).nullable()).nullish(),
  text_offset: z.array(z.int()).nullish()
})

const choiceSchema = z.object({
  index: z
    .int()
    .min(0)
    .max(CHOICES_MAX - 1),
  text: z.string().nullish(),
  logprobs: logprobsSchema.nullish(),
  finish_reason: z.enum(['stop', 'length', 'content_filter']).nullish()
})
type Choice = z.infer<typeof choiceSchema>

/** A whole answer, and each of its events. */
const answerSchema = z.object({
  choices: z.array(choiceSchema).max(CHOICES_MAX).nullish(),
  usage: toldUsageSchema.nullish()
})

/** Of a choice, as they are told: every list is there. */
type Logprobs = {
  readonly tokens: string[]
  readonly token_logprobs: (number | null)[]
  readonly top_logprobs: (Record<string, number> | null)[]
  readonly text_offset: number[]
}

interface GatheredChoice {
  readonly index: number
  readonly texts: string[]
  logprobs: Logprobs | undefined
  finish: string | undefined
}

/** Completions of texts. */
export const completionRelay: RelayDialect<CompletionRequest> = {
  endpoint: COMPLETIONS_ENDPOINT,
  answerSchema: relayedSchemaOf('RelayedCompletion', answerMembers()),
  eventSchema: relayedSchemaOf('RelayedCompletionChunk', answerMembers()),
  parse: body => {
    const request = refuseUnserved('completions', parseInput(completionRequestSchema, body))
    longSeedRefused(request.seed)
    return request
  },
  passedOn: request => passedFields(request, completionRequestSchema.shape),
  tokens: ({ prompt, max_tokens, n }, contextLength) => {
    const prompts = Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt.length : 1
    const asked = max_tokens ?? DEFAULT_MAX_TOKENS
    return {
      prompt: estimatedTokens(Buffer.byteLength(JSON.stringify(prompt))),
      answerMax: Math.min(asked, contextLength ?? asked) * prompts * (n ?? 1)
    }
  },
  whole: (answer, _request, facts) => {
    const gatherer = new CompletionGatherer()
    gatherer.take(answer)
    return gatherer.whole(facts)
  },
  gather: () => new CompletionGatherer(),
  view: (job, request, model) => relayedView(headOf({ job, model }), request.stream_options?.include_usage === true)
}

/** Gathers the events of a completion; a whole answer is one of them. */
class CompletionGatherer implements AnswerGatherer {
  readonly #choices = new Map<number, GatheredChoice>()
  #usage: ToldUsage | undefined
  #bytes = 0

  take(event: unknown): readonly JsonValue[] {
    const { choices, usage } = readAnswer(answerSchema, event, 'completion')
    this.#usage = usage ?? this.#usage
    return (choices ?? []).map(choice => this.#piece(choice))
  }

  whole(facts: AnswerFacts): RelayedAnswer {
    if (this.#choices.size === 0) throw notAnAnswer('completion', 'it has no choices')
    const choices = [...this.#choices.values()].toSorted((a, b) => a.index - b.index)
    const estimate = { promptTokens: facts.promptTokens, completionTokens: estimatedTokens(this.#bytes) }
    const usage = jobUsageOf(this.#usage, estimate)
    const body = {
      ...headOf(facts),
      choices: choices.map(({ index, texts, logprobs, finish }) => ({
        index,
        text: texts.join(''),
        logprobs: logprobs ?? null,
        finish_reason: finish ?? 'stop'
      })),
      usage: toTokenUsage(usage),
      mesh: reportOf(facts)
    }
    return { body: body as JsonValue, usage }
  }

  #piece({ index, text, logprobs, finish_reason }: Choice): JsonValue {
    const choice = this.#choices.get(index) ?? { index, texts: [], logprobs: undefined, finish: undefined }
    this.#choices.set(index, choice)
    choice.texts.push(text ?? '')
    this.#bytes += Buffer.byteLength(text ?? '')
    choice.finish = finish_reason ?? choice.finish
    const told = logprobs == null ? undefined : wholeLogprobs(logprobs)
    if (told !== undefined) choice.logprobs = added(choice.logprobs, told)
    return {
      index,
      text: text ?? '',
      logprobs: (told ?? null) as JsonValue,
      finish_reason: finish_reason ?? null
    }
  }
}

function answerMembers(): Readonly<Record<string, z.ZodType>> {
  return { object: z.literal('text_completion'), choices: z.array(z.looseObject({ index: z.int(), text: z.string() })) }
}

function wholeLogprobs({
  tokens,
  token_logprobs,
  top_logprobs,
  text_offset
}: z.infer<typeof logprobsSchema>): Logprobs {
  return {
    tokens: tokens ?? [],
    token_logprobs: token_logprobs ?? [],
    top_logprobs: top_logprobs ?? [],
    text_offset: text_offset ?? []
  }
}

function added(before: Logprobs | undefined, more: Logprobs): Logprobs {
  if (before === undefined) {
    const { tokens, token_logprobs, top_logprobs, text_offset } = more
    return {
      tokens: [...tokens],
      token_logprobs: [...token_logprobs],
      top_logprobs: [...top_logprobs],
      text_offset: [...text_offset]
    }
  }
  // lists that grow with the answer: a copy for each token would cost its square
  for (const token of more.tokens) before.tokens.push(token)
  for (const logprob of more.token_logprobs) before.token_logprobs.push(logprob)
  for (const top of more.top_logprobs) before.top_logprobs.push(top)
  for (const offset of more.text_offset) before.text_offset.push(offset)
  return before
}

function headOf({ job, model }: Pick<AnswerFacts, 'job' | 'model'>) {
  return {
    id: `cmpl-${job.id.replace(/^req_/, '')}`,
    object: 'text_completion',
    created: Math.floor(job.createdAtMs / 1000),
    model
  }
}
