import { invalidRequest, MeshError } from '@resultity/interface'
import { TimeSlice } from '@resultity/jobs'
import type { ServedEncoder } from '@resultity/placement'
import { type EncodeInputOptions, FRAMING_TOKENS } from '@resultity/tokenizer'
import type { EmbeddingsRequest } from './embeddings-schema.ts'

/** Tokens of all inputs of one request, as OpenAI limits them. */
const REQUEST_TOKENS_MAX = 300_000

/** What a client wants of which model. */
export interface EmbeddingsPlan {
  readonly model: ServedEncoder
  /** Token ids with those that frame an input. */
  readonly inputs: readonly (readonly number[])[]
  readonly promptTokens: number
  readonly format: 'float' | 'base64'
  /** Numbers of each vector. If the model gives more, only the first ones are kept. */
  readonly dimensions: number
}

/**
 * Turns a checked body into token ids and limits.
 *
 * @throws MeshError `invalid_request` naming the field, `context_length_exceeded` naming the input
 */
export async function toEmbeddingsPlan(body: EmbeddingsRequest, model: ServedEncoder): Promise<EmbeddingsPlan> {
  const dimensions = admitDimensions(body, model)
  const truncation = truncationOf(body, model)
  let promptTokens = 0
  const slice = new TimeSlice()
  const inputs: number[][] = []
  for (const { value, param } of listInputs(body.input)) {
    const tokens = encodeInput({ value, param }, model, truncation)
    promptTokens += tokens.length
    if (promptTokens > REQUEST_TOKENS_MAX) {
      const message = `the inputs have more than ${REQUEST_TOKENS_MAX} tokens together`
      throw invalidRequest('input', message, 'Send them in several requests.')
    }
    inputs.push(tokens)
    await slice.next()
  }
  return { model, inputs, promptTokens, format: body.encoding_format ?? 'float', dimensions }
}

/** The numbers of a plan's answer are the model's own, or the first of them. */
function admitDimensions({ dimensions }: EmbeddingsRequest, { id, placeable }: ServedEncoder): number {
  const own = placeable.manifest.config.hiddenSize
  if (dimensions === null || dimensions === undefined || dimensions <= own) return dimensions ?? own
  const message = `dimensions is ${dimensions}, and the vectors of "${id}" have ${own} numbers`
  throw invalidRequest('dimensions', message, `Ask for at most ${own}, or leave it out.`)
}

/** How long inputs are cut off. */
function truncationOf({ truncate_prompt_tokens: wanted }: EmbeddingsRequest, model: ServedEncoder): EncodeInputOptions {
  if (wanted === undefined || wanted === null) return {}
  const { inputTokensMax } = model.tokenizer
  if (wanted === -1) return { truncateTo: inputTokensMax }
  if (wanted > FRAMING_TOKENS && wanted <= inputTokensMax) return { truncateTo: wanted }
  const least = FRAMING_TOKENS + 1
  const message = `truncate_prompt_tokens is ${wanted}; inputs of "${model.id}" have ${least} to ${inputTokensMax} tokens`
  throw invalidRequest('truncate_prompt_tokens', message, 'Use a number of these, or -1 for the most.')
}

interface Input {
  readonly value: string | readonly number[]
  /** As errors name it. */
  readonly param: string
}

/** A list of numbers is one input, a list of anything else is as many inputs. */
function listInputs(input: EmbeddingsRequest['input']): Input[] {
  if (typeof input === 'string') return [{ value: input, param: 'input' }]
  if (input.every(item => typeof item === 'number')) return [{ value: input, param: 'input' }]
  return input.map((value, index) => ({ value, param: `input[${index}]` }))
}

function encodeInput({ value, param }: Input, { tokenizer }: ServedEncoder, truncation: EncodeInputOptions): number[] {
  if (value === '') throw invalidRequest(param, `${param} is an empty text`, 'Send a text, or leave it out.')
  try {
    return typeof value === 'string' ? tokenizer.encode(value, truncation) : tokenizer.frame(value, truncation)
  } catch (error) {
    const { code, message, hint } = MeshError.from(error)
    throw new MeshError(code, `${param}: ${message}`, {
      hint,
      details: { param },
      cause: error
    })
  }
}
