import type { Constraints, GenerationRequest } from '@resultity/generation'
import { invalidRequest, MeshError, requireDecoder } from '@resultity/interface'
import type { RouteConstraints, ServedDecoder } from '@resultity/placement'
import { endingOf } from '../answer/ending-fields.ts'
import { reasoningAfter } from '../answer/reasoning-fields.ts'
import { formatOf } from '../answer/response-format.ts'
import { samplingOf } from '../answer/sampling-fields.ts'
import { randomSeed, type Seed } from '../answer/seed.ts'
import { dialectOf } from '../tools/model-dialect.ts'
import { answerConstraint, readAsHeld, type ToolUse, toolUseOf } from '../tools/tool-use.ts'
import { checkForm } from './chat-constraints.ts'
import { type ChatPictures, type ShownPictures, shownPictures } from './chat-pictures.ts'
import { promptOf } from './chat-prompt.ts'
import type { ChatRequest } from './chat-schema.ts'
import { templateUseOf } from './template-fields.ts'

/** The generation that a request asks for, and the keywords of its schemas that are not enforced. */
export interface ChatGeneration extends GenerationRequest {
  /** Keywords by their places, as a header names them. */
  readonly relaxed: readonly string[]
  /** What the answer may do with the tools of the request; undefined where there are none to use. */
  readonly toolUse?: ToolUse
  /** Fields that the model has no use for. */
  readonly ignored: readonly string[]
  /** What the prompt shows; undefined where it has no pictures. */
  readonly shown?: ShownPictures
}

/** What requests are read with. */
export interface ChatRequestComponents {
  readonly constraints: Constraints
  /** Default: no pictures are read. */
  readonly chatPictures?: ChatPictures | undefined
}

/**
 * Turns a checked body into token ids and limits.
 *
 * @throws MeshError `invalid_request` naming the field for what is valid OpenAI and not served here;
 * `context_length_exceeded` naming both numbers
 */
export async function toGenerationRequest(
  body: ChatRequest,
  model: ServedDecoder,
  { constraints, chatPictures }: ChatRequestComponents,
  routing: RouteConstraints = {}
): Promise<ChatGeneration> {
  refuseUnsupported(body)
  const offered = toolUseOf(body, dialectOf(model.tokenizer))
  const format = formatOf(body)
  const constraint = answerConstraint(offered, format?.constraint)
  const toolUse = offered === undefined ? undefined : readAsHeld(offered, constraint)
  const relaxed = await checkForm({ toolUse, format, constraint }, constraints)
  const { options, ignored } = templateUseOf(body, model)
  const shown = await shownPictures(body.messages, model, chatPictures)
  const told = shown === undefined ? options : { ...options, pictures: shown.texts }
  const prompt = await promptOf(body.messages, toolUse, model, told)
  const { reasoning, markers } = reasoningAfter(prompt, body, model)
  const tokensMax = tokenLimit(body, prompt.length, model.placeable.contextLength)
  const { vocabularySize } = requireDecoder(model.placeable.manifest).config
  const topLogprobs = body.logprobs === true ? (body.top_logprobs ?? 0) : undefined
  return {
    model: model.placeable,
    tokenizer: model.tokenizer,
    prompt,
    tokensMax,
    sampling: samplingOf(body, 0n, vocabularySize),
    ...endingOf(body, { tokensMax, vocabularySize, constrained: constraint !== undefined }),
    ...(topLogprobs === undefined ? {} : { topLogprobs }),
    ...(constraint === undefined ? {} : { constraint }),
    ...(reasoning === undefined ? {} : { reasoning }),
    markers: [...markers, ...(toolUse?.dialect.markers ?? [])],
    ...(toolUse === undefined ? {} : { toolUse }),
    routing,
    relaxed,
    ignored,
    ...(shown === undefined ? {} : { shown })
  }
}

function refuseUnsupported(body: ChatRequest): void {
  if (body.logprobs !== true && (body.top_logprobs ?? 0) > 0) {
    throw invalidRequest('top_logprobs', 'top_logprobs is set and logprobs is not', 'Set logprobs to true as well.')
  }
}

/** The client's limit, cut to what the context leaves; all of that when the client set none. */
function tokenLimit(body: ChatRequest, promptCount: number, contextLength: number): number {
  const room = contextLength - promptCount
  if (room < 1) {
    throw new MeshError(
      'context_length_exceeded',
      `the prompt has ${promptCount} tokens and the context of this model is ${contextLength}`,
      { hint: 'Shorten the messages: the answer needs room too.', details: { param: 'messages', contextLength } }
    )
  }
  return Math.min(body.max_completion_tokens ?? body.max_tokens ?? room, room)
}

/**
 * The body with a seed in it: the client's, or one that nobody knows. A request that is run again gives the same answer.
 */
export function withSeed<T extends { readonly seed?: Seed | null | undefined }>(body: T): T & { seed: Seed } {
  return { ...body, seed: body.seed ?? randomSeed() }
}

/** The request of choice `index`: the same, but for the seed. */
export function choiceRequest(request: GenerationRequest, index: number): GenerationRequest {
  if (index === 0) return request
  const seed = BigInt.asUintN(64, request.sampling.seed + BigInt(index))
  return { ...request, sampling: { ...request.sampling, seed } }
}
