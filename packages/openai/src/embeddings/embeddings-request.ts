import { invalidRequest, requireEncoder } from '@resultity/interface'
import type { ServedEncoder } from '@resultity/placement'
import { type EncodeInputOptions, FRAMING_TOKENS } from '@resultity/tokenizer'
import type { EmbeddingsRequest } from './embeddings-schema.ts'
import { encodedAs, InputList, truncationOf } from './input-list.ts'

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
  const truncation = truncationOf(body.truncate_prompt_tokens, model, FRAMING_TOKENS + 1)
  const inputs = new InputList('inputs')
  for (const { value, param } of listInputs(body.input)) {
    await inputs.add(encodeInput({ value, param }, model, truncation), 'input')
  }
  const { all, tokens: promptTokens } = inputs
  return { model, inputs: all, promptTokens, format: body.encoding_format ?? 'float', dimensions }
}

/** The numbers of a plan's answer are the model's own, or the first of them. */
function admitDimensions({ dimensions }: EmbeddingsRequest, { id, placeable }: ServedEncoder): number {
  const own = requireEncoder(placeable.manifest).config.hiddenSize
  if (dimensions === null || dimensions === undefined || dimensions <= own) return dimensions ?? own
  const message = `dimensions is ${dimensions}, and the vectors of "${id}" have ${own} numbers`
  throw invalidRequest('dimensions', message, `Ask for at most ${own}, or leave it out.`)
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
  return encodedAs(param, () =>
    typeof value === 'string' ? tokenizer.encode(value, truncation) : tokenizer.frame(value, truncation)
  )
}
