import { invalidRequest, MeshError, requireDecoder, withParam } from '@resultity/interface'
import { TimeSlice } from '@resultity/jobs'
import { promptOf, templateUseOf, toolUseOf } from '@resultity/openai'
import type { ServedDecoder } from '@resultity/placement'
import type { Tokenized, TokenizeRequest } from './token-schema.ts'

/**
 * The token ids of a text or of a conversation, as the model would be given them.
 *
 * @throws MeshError `invalid_request` naming the field; `context_length_exceeded` for what is far longer than the context
 */
export async function tokenize(body: TokenizeRequest, model: ServedDecoder): Promise<Tokenized> {
  const tokens = await idsOf(body, model)
  return {
    count: tokens.length,
    max_model_len: model.placeable.contextLength,
    tokens,
    token_strs: body.return_token_strs === true ? tokens.map(id => model.tokenizer.nameOf(id) ?? '') : null
  }
}

async function idsOf(body: TokenizeRequest, model: ServedDecoder): Promise<number[]> {
  const given = (['prompt', 'content', 'messages'] as const).filter(name => (body[name] ?? null) !== null)
  const [field] = given
  if (field === undefined || given.length > 1) {
    const what = field === undefined ? 'there is nothing to tokenize' : `there are both ${given.join(' and ')}`
    throw invalidRequest(given.at(-1) ?? 'prompt', what, 'Send a prompt, or messages.')
  }
  if (field === 'messages') {
    const messages = body.messages ?? []
    const { options } = templateUseOf({ ...body, messages }, model)
    return await promptOf(messages, toolUseOf(body), model, options)
  }
  const ids = await encoded(body[field] ?? '', field, model)
  const begins = body.add_special_tokens ?? body.add_special ?? field === 'prompt'
  return begins ? begun(ids, model.tokenizer.beginTokenIds) : ids
}

async function encoded(text: string, field: string, { prompts }: ServedDecoder): Promise<number[]> {
  try {
    const [ids = []] = await prompts.encode([text])
    return ids
  } catch (error) {
    throw withParam(error, field)
  }
}

/** A text that begins with these tokens already gets none of them twice. */
function begun(ids: number[], begin: readonly number[]): number[] {
  return begin.every((id, index) => ids[index] === id) ? ids : [...begin, ...ids]
}

/** Ids between two looks at the clock. */
const IDS_AT_ONCE = 1024

/**
 * The text of token ids, special tokens by their names.
 * @throws MeshError `invalid_request` naming an id that the model does not have
 */
export async function detokenize(ids: readonly number[], { placeable, tokenizer }: ServedDecoder): Promise<string> {
  const { vocabularySize } = requireDecoder(placeable.manifest).config
  const unknown = ids.findIndex(id => id >= vocabularySize)
  if (unknown >= 0) {
    const param = `tokens[${unknown}]`
    throw new MeshError(
      'invalid_request',
      `${param} is ${ids[unknown]}; the model's ids end at ${vocabularySize - 1}`,
      {
        hint: "Send ids of this model's own tokenizer.",
        details: { param }
      }
    )
  }
  const decoder = tokenizer.decoder({ specialTokens: 'name' })
  const slice = new TimeSlice()
  const texts: string[] = []
  for (const [index, id] of ids.entries()) {
    texts.push(decoder.push(id))
    if (index % IDS_AT_ONCE === 0) await slice.next()
  }
  return texts.join('') + decoder.flush()
}
