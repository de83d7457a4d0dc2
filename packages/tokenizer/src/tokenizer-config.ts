import { MeshError, safeParse } from '@resultity/interface'
import { z } from 'zod'
import { PLAIN_TEMPLATE, type TemplateTokens } from './templates/chat-template.ts'
import { findNamedTemplate, isTemplateName, templateNames } from './templates/named-templates.ts'
import { parseJson, tokenizerInvalid } from './tokenizer-definition.ts'

/** A special token, as `tokenizer_config.json` names it: the text itself, or an object around it. */
const tokenNameSchema = z
  .union([z.string(), z.looseObject({ content: z.string() })])
  .nullish()
  .transform(token => (typeof token === 'string' ? token : (token?.content ?? '')))

/** Templates by name; some publishers list several. */
const templatesSchema = z.union([
  z.array(z.looseObject({ name: z.string(), template: z.string() })).max(64),
  z
    .record(z.string(), z.string())
    .transform(named => Object.entries(named).map(([name, template]) => ({ name, template })))
])

/** Undefined where there is none, and where there is nothing in it. */
const templateSchema = z
  .union([z.string(), templatesSchema])
  .nullish()
  .transform(value => (Array.isArray(value) ? mainTemplate(value) : value))
  .transform(template => (template?.trim() === '' ? undefined : (template ?? undefined)))

/** What a template without `default` is for beside conversations. */
const SPECIAL_USES: ReadonlySet<string> = new Set(['tool_use', 'rag'])

/** Of several templates the one for conversations: that named `default`, else the first that is not for a special use. */
export function mainTemplate(templates: readonly { name: string; template: string }[]): string | undefined {
  const written = templates.filter(({ template }) => template.trim() !== '')
  const main =
    written.find(({ name }) => name === 'default') ?? written.find(({ name }) => !SPECIAL_USES.has(name)) ?? written[0]
  return main?.template
}

/** The fields of a Hugging Face `tokenizer_config.json` that this package reads. */
export const tokenizerConfigSchema = z.looseObject({
  bos_token: tokenNameSchema,
  eos_token: tokenNameSchema,
  unk_token: tokenNameSchema,
  pad_token: tokenNameSchema,
  add_bos_token: z.boolean().nullish().catch(undefined),
  chat_template: templateSchema
})

export interface TokenizerConfig {
  /** Empty where the vocabulary has no such token. */
  readonly tokens: TemplateTokens
  /** The model's chat template in Jinja, or {@link PLAIN_TEMPLATE}. */
  readonly template: string
}

/** @throws MeshError `model_invalid` */
export function readTokenizerConfig(bytes: Uint8Array): TokenizerConfig {
  const parsed = safeParse(tokenizerConfigSchema, parseJson(bytes, 'tokenizer_config.json'))
  if (!parsed.success) throw tokenizerInvalid(`tokenizer_config.json: ${z.prettifyError(parsed.error)}`)
  const { bos_token: bos, eos_token: eos, unk_token: unk, pad_token: pad } = parsed.data
  return { tokens: { bos, eos, unk, pad }, template: templateSource(parsed.data) }
}

/** The template in Jinja, whichever way the configuration says which. */
function templateSource({
  chat_template: template = PLAIN_TEMPLATE,
  add_bos_token: addBos
}: z.infer<typeof tokenizerConfigSchema>): string {
  const name = template.trim()
  if (!isTemplateName(name)) return template
  const named = findNamedTemplate(name)
  if (named !== undefined) return (addBos ?? named.begins) ? `{{ bos_token }}${named.source}` : named.source
  throw new MeshError(
    'model_invalid',
    `the chat template is the name "${name}", and no template of that name is known`,
    {
      hint: `Put the template itself there, or one of ${templateNames.join(', ')}.`
    }
  )
}
