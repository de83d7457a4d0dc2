import { MeshError } from '@resultity/interface'
import type { GenerationRequest } from '../generation/generation.ts'
import type { ServedDecoder } from '../served-models.ts'
import { choiceRequest } from './chat-request.ts'
import { CHOICES_MAX } from './chat-schema.ts'
import type { CompletionRequest } from './completion-schema.ts'
import { invalidRequest } from './parse-body.ts'
import { samplingOf } from './sampling-fields.ts'

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
}

/**
 * Turns a checked body into token ids and limits, a choice each.
 *
 * @throws MeshError `invalid_request` naming the field; `context_length_exceeded`
 */
export function toCompletionPlan(
  body: CompletionRequest & { readonly seed: number },
  model: ServedDecoder
): CompletionPlan {
  refuseUnsupported(body)
  const prompts = promptsOf(body, model)
  const n = body.n ?? 1
  if (prompts.length * n > TOTAL_CHOICES_MAX) {
    const asked = `${prompts.length} prompts with ${n} choices each`
    throw invalidRequest('n', `${asked} are too many`, `Ask for at most ${TOTAL_CHOICES_MAX} choices in all.`)
  }
  const choices = prompts.flatMap((prompt, promptIndex) => {
    const request = toGenerationRequest(body, model, prompt)
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
    scored: scoresPrompt(body)
  }
}

function refuseUnsupported({ suffix, best_of, n, echo, max_tokens }: CompletionRequest): void {
  if (suffix !== undefined && suffix !== null && suffix !== '') {
    throw invalidRequest('suffix', 'suffix is not served: no model here fills in the middle', 'Leave it out.')
  }
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

function promptsOf({ prompt }: CompletionRequest, model: ServedDecoder): Prompt[] {
  if (typeof prompt === 'string') return [{ name: 'prompt', text: prompt, ids: encoded(prompt, model, 'prompt') }]
  if (isTokenIds(prompt)) return [{ name: 'prompt', ids: checked(prompt, model, 'prompt') }]
  return prompt.map((one, index) => {
    const name = `prompt[${index}]`
    if (typeof one === 'string') return { name, text: one, ids: encoded(one, model, name) }
    return { name, ids: checked(one, model, name) }
  })
}

function checked(ids: readonly number[], model: ServedDecoder, name: string): readonly number[] {
  const { vocabularySize } = model.placeable.manifest.config
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

function encoded(text: string, model: ServedDecoder, name: string): number[] {
  const { beginTokenIds } = model.tokenizer
  try {
    const ids = model.tokenizer.encode(text)
    const begun = beginTokenIds.every((id, index) => ids[index] === id)
    const prompt = begun ? ids : [...beginTokenIds, ...ids]
    if (prompt.length > 0) return prompt
  } catch (error) {
    const { code, message, hint } = MeshError.from(error)
    throw new MeshError(code, message, {
      ...(hint === undefined ? {} : { hint }),
      details: { param: name },
      cause: error
    })
  }
  throw invalidRequest(name, `${name} is empty, and this model has no token to begin with`, 'Send some text.')
}

function toGenerationRequest(body: CompletionRequest, model: ServedDecoder, { name, ids }: Prompt): GenerationRequest {
  const { contextLength } = model.placeable
  const room = contextLength - ids.length
  // whoever asks how likely a prompt is has a token sampled that nobody sees
  const wanted = Math.max(body.max_tokens ?? DEFAULT_MAX_TOKENS, scoresPrompt(body) ? 1 : 0)
  if (room < Math.min(wanted, 1)) {
    throw new MeshError(
      'context_length_exceeded',
      `${name} has ${ids.length} tokens and the context of this model is ${contextLength}`,
      { hint: 'Shorten it: the answer needs room too.', details: { param: name, contextLength } }
    )
  }
  const stages = body.mesh?.stages ?? undefined
  return {
    model: model.placeable,
    tokenizer: model.tokenizer,
    prompt: ids,
    tokensMax: Math.min(wanted, room),
    sampling: samplingOf(body, 0n, model.placeable.manifest.config.vocabularySize),
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    ignoreEndTokens: body.ignore_eos === true,
    ...(body.logprobs === undefined || body.logprobs === null ? {} : { topLogprobs: body.logprobs }),
    ...(scoresPrompt(body) ? { promptLogprobs: true } : {}),
    ...(stages === undefined ? {} : { stages })
  }
}
