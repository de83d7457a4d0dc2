import { chatRequestSchema, reasoningFields, templateFields, toolFields } from '@resultity/openai'
import { z } from 'zod'

/** Token ids of one request: more than any context has. */
const TOKENS_MAX = 1_048_576

const model = z.string().max(512).nullish()
const flag = z.boolean().nullish()
const tokenIds = z.array(z.int().min(0).max(0x7fff_ffff))

const conversation = {
  /** May be left out where one model that generates text is served. */
  model,
  ...toolFields,
  ...templateFields,
  reasoning_effort: reasoningFields.reasoning_effort
}

/** Body of `POST /tokenize`: a text, or a conversation. */
export const tokenizeSchema = z
  .looseObject({
    ...conversation,
    prompt: z.string().nullish(),
    /** As llama.cpp calls the prompt. */
    content: z.string().nullish(),
    messages: chatRequestSchema.shape.messages.nullish(),
    /** Whether a text gets the tokens that its model begins texts with. Default true, and false for `content`. */
    add_special_tokens: flag,
    /** As llama.cpp calls it. */
    add_special: flag,
    /** Names of the tokens too, as the vocabulary has them. Default false. */
    return_token_strs: flag
  })
  .meta({ id: 'TokenizeRequest' })
export type TokenizeRequest = z.infer<typeof tokenizeSchema>

export const tokenizedSchema = z
  .object({
    count: z.int(),
    /** Positions of the longest context. */
    max_model_len: z.int(),
    tokens: tokenIds,
    token_strs: z.array(z.string()).nullable()
  })
  .meta({ id: 'Tokenized' })
export type Tokenized = z.infer<typeof tokenizedSchema>

/** Body of `POST /detokenize`. */
export const detokenizeSchema = z
  .looseObject({ model, tokens: tokenIds.max(TOKENS_MAX) })
  .meta({ id: 'DetokenizeRequest' })

export const detokenizedSchema = z
  .object({
    prompt: z.string(),
    /** The same, as llama.cpp calls it. */
    content: z.string()
  })
  .meta({ id: 'Detokenized' })

/** Body of `POST /apply-template`. */
export const applyTemplateSchema = z
  .looseObject({ ...conversation, messages: chatRequestSchema.shape.messages })
  .meta({ id: 'ApplyTemplateRequest' })

export const appliedTemplateSchema = z.object({ prompt: z.string() }).meta({ id: 'AppliedTemplate' })

export const tokenizerInfoQuerySchema = z.looseObject({ model: z.string().max(512).optional() })

export const tokenizerInfoSchema = z
  .object({
    model: z.string(),
    tokenizer_class: z.string(),
    /** In Jinja. */
    chat_template: z.string(),
    /** Null where the vocabulary has none. */
    bos_token: z.string().nullable(),
    eos_token: z.string().nullable(),
    unk_token: z.string().nullable(),
    pad_token: z.string().nullable(),
    vocab_size: z.int(),
    /** Positions of the longest context. */
    model_max_length: z.int()
  })
  .meta({ id: 'TokenizerInfo' })
export type TokenizerInfo = z.infer<typeof tokenizerInfoSchema>
