import { z } from 'zod'
import { PLAIN_TEMPLATE, type TemplateTokens } from '../templates/chat-template.ts'
import { parseJson, tokenizerInvalid } from './tokenizer-definition.ts'

/** A special token, as `tokenizer_config.json` names it: the text itself, or an object around it. */
const tokenNameSchema = z
  .union([z.string(), z.looseObject({ content: z.string() })])
  .nullish()
  .transform(token => (typeof token === 'string' ? token : (token?.content ?? '')))

/** Some publishers list several templates; the one named `default` is for conversations without tools. */
const templateSchema = z
  .union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() })).max(64)])
  .nullish()
  .transform(value => (Array.isArray(value) ? value.find(entry => entry.name === 'default')?.template : value))

/** The fields of a Hugging Face `tokenizer_config.json` that this package reads. */
export const tokenizerConfigSchema = z.looseObject({
  bos_token: tokenNameSchema,
  eos_token: tokenNameSchema,
  unk_token: tokenNameSchema,
  pad_token: tokenNameSchema,
  chat_template: templateSchema
})

export interface TokenizerConfig {
  /** Empty where the vocabulary has no such token. */
  readonly tokens: TemplateTokens
  /** The model's chat template, or {@link PLAIN_TEMPLATE}. */
  readonly template: string
}

/** @throws MeshError `model_invalid` */
export function readTokenizerConfig(bytes: Uint8Array): TokenizerConfig {
  const parsed = tokenizerConfigSchema.safeParse(parseJson(bytes, 'tokenizer_config.json'))
  if (!parsed.success) throw tokenizerInvalid(`tokenizer_config.json: ${z.prettifyError(parsed.error)}`)
  const { bos_token: bos, eos_token: eos, unk_token: unk, pad_token: pad, chat_template: template } = parsed.data
  return { tokens: { bos, eos, unk, pad }, template: template ?? PLAIN_TEMPLATE }
}
