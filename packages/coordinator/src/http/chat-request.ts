import { randomInt } from 'node:crypto'
import { MeshError } from '@resultity/interface'
import type { ChatMessage } from '@resultity/model'
import type { GenerationRequest } from '../generation/generation.ts'
import type { ServedDecoder } from '../served-models.ts'
import type { ChatRequest } from './chat-schema.ts'
import { invalidRequest } from './parse-body.ts'
import { constraintOfFormat } from './response-format.ts'
import { samplingOf } from './sampling-fields.ts'

/**
 * Longest text a token stands for, generously: more characters than this for every position of the context cannot be
 * a prompt that fits, and are refused before the event loop spends time on making tokens of them.
 */
const CHARACTERS_PER_POSITION_MAX = 32

/**
 * Turns a checked body into token ids and limits.
 *
 * @throws MeshError `invalid_request` naming the field for what is valid OpenAI and not served here;
 * `context_length_exceeded` naming both numbers
 */
export function toGenerationRequest(body: ChatRequest, model: ServedDecoder): GenerationRequest {
  refuseUnsupported(body)
  const messages = body.messages.map((message, index) => toChatMessage(message, index))
  refuseHopeless(messages, model.placeable.contextLength)
  const prompt = model.tokenizer.encodeChat(messages, { addGenerationPrompt: true })
  const topLogprobs = body.logprobs === true ? (body.top_logprobs ?? 0) : undefined
  const stages = body.mesh?.stages ?? undefined
  const constraint = constraintOfFormat(body.response_format)
  return {
    model: model.placeable,
    tokenizer: model.tokenizer,
    prompt,
    tokensMax: tokenLimit(body, prompt.length, model.placeable.contextLength),
    sampling: samplingOf(body, 0n, model.placeable.manifest.config.vocabularySize),
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    ignoreEndTokens: body.ignore_eos === true,
    ...(topLogprobs === undefined ? {} : { topLogprobs }),
    ...(constraint === undefined ? {} : { constraint }),
    ...(stages === undefined ? {} : { stages })
  }
}

function refuseUnsupported(body: ChatRequest): void {
  if (body.ignore_eos === true && (body.response_format?.type ?? 'text') !== 'text') {
    throw invalidRequest(
      'ignore_eos',
      'an answer that must be JSON cannot go on after its end',
      'Leave ignore_eos out.'
    )
  }
  if ((body.tools?.length ?? 0) > 0 && body.tool_choice !== 'none') {
    throw invalidRequest('tools', 'tools are not served', 'Leave tools out, or set tool_choice to "none".')
  }
  if (body.logprobs !== true && (body.top_logprobs ?? 0) > 0) {
    throw invalidRequest('top_logprobs', 'top_logprobs is set and logprobs is not', 'Set logprobs to true as well.')
  }
}

function toChatMessage(message: ChatRequest['messages'][number], index: number): ChatMessage {
  const role = message.role === 'function' ? 'tool' : message.role
  return { role, content: contentText(message, index) }
}

/** An assistant turn may have no content (it called a tool); any other message must say something. */
function contentText({ role, content }: ChatRequest['messages'][number], index: number): string {
  if (typeof content === 'string') return content
  const field = `messages[${index}].content`
  if (content === null || content === undefined) {
    if (role === 'assistant') return ''
    throw invalidRequest(field, `${field} is missing in a ${role} message`)
  }
  const texts = content.map((part, partIndex) => {
    const partField = `${field}[${partIndex}]`
    if (part.type !== 'text') {
      throw invalidRequest(`${partField}.type`, `"${part.type}" parts are not served`, 'Send text parts only.')
    }
    if (part.text === undefined) throw invalidRequest(`${partField}.text`, `${partField} has no text`)
    return part.text
  })
  return texts.join('')
}

function refuseHopeless(messages: readonly ChatMessage[], contextLength: number): void {
  const characters = messages.reduce((sum, message) => sum + message.content.length, 0)
  const charactersMax = contextLength * CHARACTERS_PER_POSITION_MAX
  if (characters <= charactersMax) return
  throw new MeshError(
    'context_length_exceeded',
    `the messages have ${characters} characters; the context is ${contextLength} tokens, and prompts of more than ` +
      `${charactersMax} characters are refused uncounted`,
    { hint: 'Shorten the messages.', details: { param: 'messages', contextLength } }
  )
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
export function withSeed(body: ChatRequest): ChatRequest {
  return { ...body, seed: body.seed ?? randomInt(2 ** 47) }
}

/** The request of choice `index`: the same, but for the seed. */
export function choiceRequest(request: GenerationRequest, index: number): GenerationRequest {
  if (index === 0) return request
  const seed = BigInt.asUintN(64, request.sampling.seed + BigInt(index))
  return { ...request, sampling: { ...request.sampling, seed } }
}
