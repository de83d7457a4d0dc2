import type { Constraints, GenerationRequest } from '@resultity/generation'
import { invalidRequest, MeshError, requireDecoder } from '@resultity/interface'
import type { RouteConstraints, ServedDecoder } from '@resultity/placement'
import { endingOf } from '../answer/ending-fields.ts'
import { relaxedPlace } from '../answer/relaxed-header.ts'
import { type AnswerFormat, checkFormat, formatOf } from '../answer/response-format.ts'
import { samplingOf } from '../answer/sampling-fields.ts'
import type { Seed } from '../answer/seed.ts'
import { choiceRequest } from '../chat/chat-request.ts'
import { CHOICES_MAX } from '../chat/chat-schema.ts'
import type { CompletionRequest } from './completion-schema.ts'

/** OpenAI's, for completions. */
const DEFAULT_MAX_TOKENS = 16

/** Choices of all prompts together. */
const TOTAL_CHOICES_MAX = 16 * CHOICES_MAX

/** One choice to make. */
export interface CompletionChoicePlan {
  /** What `echo` puts before it; undefined: nothing. */
  readonly echoed: string | undefined
  readonly request: GenerationRequest
}

export interface CompletionPlan {
  /** By index: the choices of the first prompt, then those of the second, and so on. */
  readonly choices: readonly CompletionChoicePlan[]
  /** Of all prompts, each once. */
  readonly promptTokens: number
  /** Nothing may be added to the prompts. */
  readonly promptOnly: boolean
  /** How likely the prompts are is asked for, so that they must be computed even if nothing is added. */
  readonly scored: boolean
  /** Places in the schema of keywords that are not enforced. */
  readonly relaxed: readonly string[]
}

/**
 * Turns a checked body into token ids and limits, a choice each.
 *
 * @throws MeshError `invalid_request` naming the field; `context_length_exceeded`
 */
export async function toCompletionPlan(
  body: CompletionRequest & { readonly seed: Seed },
  model: ServedDecoder,
  constraints: Constraints,
  routing: RouteConstraints = {}
): Promise<CompletionPlan> {
  refuseUnsupported(body)
  const format = formatOf(body)
  const relaxed = format === undefined ? [] : await checkFormat(format, constraints)
  const listed = listPrompts(body)
  const n = body.n ?? 1
  if (listed.length * n > TOTAL_CHOICES_MAX) {
    const asked = `${listed.length} prompts with ${n} choices each`
    throw invalidRequest('n', `${asked} are too many`, `Ask for at most ${TOTAL_CHOICES_MAX} choices in all.`)
  }
  const prompts = await encodeAll(listed, model)
  const choices = prompts.flatMap((prompt, promptIndex) => {
    const request = toGenerationRequest(body, model, routing, prompt, format)
    const echoed = body.echo === true ? (prompt.text ?? model.tokenizer.decode(prompt.ids)) : undefined
    return Array.from({ length: n }, (_, index) => ({
      echoed,
      // every prompt has seeds of its own: the same prompt twice gives two answers
      request: choiceRequest(request, promptIndex * n + index)
    }))
  })
  return {
    choices,
    promptTokens: prompts.reduce((sum, prompt) => sum + prompt.ids.length, 0),
    promptOnly: body.max_tokens === 0,
    scored: scoresPrompt(body),
    relaxed: relaxed.map(keyword => relaxedPlace(keyword, []))
  }
}

function refuseUnsupported({ best_of, n, echo, max_tokens }: CompletionRequest): void {
  if (best_of !== undefined && best_of !== null && best_of !== (n ?? 1)) {
    throw invalidRequest(
      'best_of',
      `best_of is ${best_of} and n is ${n ?? 1}`,
      'Leave best_of out: all choices are given.'
    )
  }
  if (max_tokens === 0 && echo !== true) {
    throw invalidRequest('max_tokens', 'max_tokens is 0, so there would be no answer', 'Ask for a token, or set echo.')
  }
}

function scoresPrompt({ echo, logprobs }: CompletionRequest): boolean {
  return echo === true && logprobs !== undefined && logprobs !== null
}

interface Prompt {
  /** The field it came in. */
  readonly name: string
  readonly ids: readonly number[]
  /** As the client wrote it; undefined for ids. */
  readonly text?: string
}

interface ListedPrompt {
  readonly name: string
  readonly value: string | readonly number[]
}

function listPrompts({ prompt }: CompletionRequest): ListedPrompt[] {
  if (typeof prompt === 'string' || isTokenIds(prompt)) return [{ name: 'prompt', value: prompt }]
  return prompt.map((value, index) => ({ name: `prompt[${index}]`, value }))
}

/** All texts at once: many short ones are as long as one long one. */
async function encodeAll(listed: readonly ListedPrompt[], model: ServedDecoder): Promise<Prompt[]> {
  const texts = listed.flatMap(({ name, value }) => (typeof value === 'string' ? [admitted(value, model, name)] : []))
  const encoded = (await model.prompts.encode(texts)).values()
  return listed.map(({ name, value }) => {
    if (typeof value !== 'string') return { name, ids: checked(value, model, name) }
    return { name, text: value, ids: begun(encoded.next().value ?? [], model, name) }
  })
}

function checked(ids: readonly number[], model: ServedDecoder, name: string): readonly number[] {
  const { vocabularySize } = requireDecoder(model.placeable.manifest).config
  const at = ids.findIndex(id => id >= vocabularySize)
  if (at < 0) return ids
  throw invalidRequest(
    `${name}[${at}]`,
    `${name}[${at}] is ${ids[at]}, and the model's token ids end at ${vocabularySize - 1}`,
    "Encode the prompt with this model's own tokenizer."
  )
}

function isTokenIds(prompt: Exclude<CompletionRequest['prompt'], string>): prompt is number[] {
  return typeof prompt[0] === 'number'
}

/** What cannot fit is refused before anybody spends time on making tokens of it. */
function admitted(text: string, { placeable, tokenizer: { charactersMax } }: ServedDecoder, name: string): string {
  if (text.length <= charactersMax) return text
  const { contextLength } = placeable
  throw new MeshError(
    'context_length_exceeded',
    `${name} has ${text.length} characters; the context is ${contextLength} tokens, and no text over ${charactersMax} fits`,
    { hint: 'Shorten it.', details: { param: name, contextLength } }
  )
}

function begun(ids: number[], { tokenizer: { beginTokenIds } }: ServedDecoder, name: string): number[] {
  const begins = beginTokenIds.every((id, index) => ids[index] === id)
  const prompt = begins ? ids : [...beginTokenIds, ...ids]
  if (prompt.length > 0) return prompt
  throw invalidRequest(name, `${name} is empty, and this model has no token to begin with`, 'Send some text.')
}

function toGenerationRequest(
  body: CompletionRequest,
  model: ServedDecoder,
  routing: RouteConstraints,
  { name, ids }: Prompt,
  format: AnswerFormat | undefined
): GenerationRequest {
  const { contextLength } = model.placeable
  const room = contextLength - ids.length
  // a request for the probabilities of a prompt samples a token that no client sees
  const wanted = Math.max(body.max_tokens ?? DEFAULT_MAX_TOKENS, scoresPrompt(body) ? 1 : 0)
  if (room < Math.min(wanted, 1)) {
    throw new MeshError(
      'context_length_exceeded',
      `${name} has ${ids.length} tokens and the context of this model is ${contextLength}`,
      { hint: 'Shorten it: the answer needs room too.', details: { param: name, contextLength } }
    )
  }
  const tokensMax = Math.min(wanted, room)
  const { vocabularySize } = requireDecoder(model.placeable.manifest).config
  return {
    model: model.placeable,
    tokenizer: model.tokenizer,
    prompt: ids,
    tokensMax,
    sampling: samplingOf(body, 0n, vocabularySize),
    ...endingOf(body, { tokensMax, vocabularySize, constrained: format !== undefined }),
    ...(body.logprobs === undefined || body.logprobs === null ? {} : { topLogprobs: body.logprobs }),
    ...(scoresPrompt(body) ? { promptLogprobs: true } : {}),
    // of an answer that nobody sees it does not matter what it is
    ...(format === undefined || body.max_tokens === 0 ? {} : { constraint: format.constraint }),
    routing
  }
}
