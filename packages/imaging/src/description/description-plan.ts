import { type DescriptionSettings, invalidRequest, lookedAtLength, MeshError } from '@resultity/interface'
import type { ServedCaptioner } from '@resultity/placement'
import type { PictureRef } from '../picture-ref.ts'
import type { DescriptionRequest } from './description-schema.ts'

/** What is asked of a picture, in terms of the model. */
export interface DescriptionPlan {
  readonly image: PictureRef
  /** What the picture came as, for errors. */
  readonly param: 'image' | 'file'
  readonly settings: DescriptionSettings
  /** Tokens of the prompt, and what the model looks at. */
  readonly promptTokens: number
}

/** Captions of published models have some 15. */
const TOKENS_MAX = 64

/**
 * A checked body in terms of its model.
 *
 * @throws MeshError `invalid_request`, `context_length_exceeded` naming the field
 */
export function toDescriptionPlan(request: DescriptionRequest, model: ServedCaptioner): DescriptionPlan {
  const { image, param } = pictureOf(request)
  const { config } = model
  const text = tokensOf(request.prompt ?? '', model)
  // one begins every text, and one is written at least
  const room = config.textContext - 1 - text.prompt.length
  if (room < 1)
    throw tooLong(`the prompt has ${text.prompt.length} tokens, and texts of the model have ${config.textContext}`)
  const tokensMax = Math.min(request.max_tokens ?? TOKENS_MAX, room)
  const tokensMin = Math.min(request.min_tokens ?? 0, room)
  if (tokensMin > tokensMax) {
    throw invalidRequest('min_tokens', `min_tokens is ${tokensMin}, and ${tokensMax} are written at the most`)
  }
  const settings = {
    ...text,
    tokensMax,
    tokensMin,
    temperature: request.temperature ?? 0,
    topP: request.top_p ?? 1,
    repetitionPenalty: request.repetition_penalty ?? 1,
    seed: String(BigInt.asUintN(64, BigInt(request.seed ?? 0)))
  }
  const promptTokens = (text.question ?? text.prompt).length + lookedAtLength(config)
  return { image, param, settings, promptTokens }
}

/** The one picture of a request, by either of its names. */
function pictureOf({ image, file }: DescriptionRequest): Pick<DescriptionPlan, 'image' | 'param'> {
  const [picture, other] = [image ?? undefined, file ?? undefined]
  if (picture !== undefined && other !== undefined) {
    throw invalidRequest('file', 'the request has two pictures, image and file', 'Send one of them.')
  }
  if (picture !== undefined) return { image: picture, param: 'image' }
  if (other !== undefined) return { image: other, param: 'file' }
  throw invalidRequest('image', 'the request has no picture', 'Send one as image.')
}

/** The question of a model that answers; of another the beginning of its text. */
function tokensOf(
  text: string,
  { id, config, tokenizer }: ServedCaptioner
): Pick<DescriptionSettings, 'question' | 'prompt'> {
  const words = text.trim()
  const framed = words === '' ? [] : encoded(words, tokenizer)
  // without those that frame it: a text begins with a token of its own, and goes on
  if (config.task === 'caption') return { prompt: framed.slice(1, -1) }
  if (framed.length > 0) return { question: framed, prompt: [] }
  const hint = 'Send the question as prompt, or name a model that writes captions.'
  throw invalidRequest('prompt', `the model "${id}" answers questions of pictures, and none came`, hint)
}

function encoded(text: string, tokenizer: ServedCaptioner['tokenizer']): number[] {
  try {
    return tokenizer.encode(text)
  } catch (error) {
    const known = MeshError.from(error)
    throw known.code === 'context_length_exceeded' ? tooLong(`prompt: ${known.message}`) : known
  }
}

function tooLong(message: string): MeshError {
  return new MeshError('context_length_exceeded', message, {
    hint: 'Send a shorter prompt.',
    details: { param: 'prompt' }
  })
}
