import {
  type AnswerReasoning,
  type EffortUse,
  effortVariables,
  type ReasoningFormat,
  recogniseReasoning
} from '@resultity/dialects'
import { REASONING_EFFORTS } from '@resultity/interface'
import type { ServedDecoder } from '@resultity/placement'
import type { ModelTokenizer } from '@resultity/tokenizer'
import { z } from 'zod'

/** How a model is to reason before it answers, and what becomes of that. */
export const reasoningFields = {
  /** Said in the variables of the model's chat template; a header says where it has none. */
  reasoning_effort: z.enum(REASONING_EFFORTS).nullish(),
  /** As in vLLM: `false` leaves the reasoning out of the answer. */
  include_reasoning: z.boolean().nullish(),
  /** As in llama.cpp: `none` leaves the reasoning in the answer's text, tags and all. */
  reasoning_format: z.enum(['none', 'auto', 'deepseek']).nullish()
}

const reasoningBody = z.object(reasoningFields)
export type ReasoningFields = z.infer<typeof reasoningBody>

/** Tokens of a prompt's end that are looked at: an opened tag, and white space behind it. */
const END_TOKENS = 32

const formats = new WeakMap<ModelTokenizer, { readonly format: ReasoningFormat | undefined }>()

function formatOf(tokenizer: ModelTokenizer): ReasoningFormat | undefined {
  let known = formats.get(tokenizer)
  if (known === undefined) {
    const { template } = tokenizer.config
    known = { format: recogniseReasoning({ template, hasToken: name => tokenizer.idOf(name) !== undefined }) }
    formats.set(tokenizer, known)
  }
  return known.format
}

/** Whether a model's answers have reasoning apart from them. */
export function canReason({ tokenizer }: ServedDecoder): boolean {
  return formatOf(tokenizer) !== undefined
}

/** What the template is told of `reasoning_effort`. */
export function effortOf({ reasoning_effort: effort }: ReasoningFields, { tokenizer }: ServedDecoder): EffortUse {
  if (effort === null || effort === undefined) return { variables: {}, ignored: false }
  return effortVariables(effort, tokenizer.capabilities, formatOf(tokenizer) !== undefined)
}

/** How an answer reasons, and what its text is read by. */
export interface ReadReasoning {
  /** Undefined where all of the text is answer. */
  readonly reasoning: AnswerReasoning | undefined
  /** Names of special tokens that are part of the text, beside those of the reasoning that is told apart. */
  readonly markers: readonly string[]
}

/** How the answer to a prompt may reason. */
export function reasoningAfter(
  prompt: readonly number[],
  { reasoning_format: format }: ReasoningFields,
  { tokenizer }: ServedDecoder
): ReadReasoning {
  const known = formatOf(tokenizer)
  if (known === undefined) return { reasoning: undefined, markers: [] }
  const decoder = tokenizer.decoder({ specialTokens: 'name' })
  const end = prompt.slice(-END_TOKENS).map(token => decoder.push(token))
  const reasoning = known.after(end.join('') + decoder.flush())
  if (format !== 'none') return { reasoning, markers: [] }
  // left in the text, tags and all: those that are tokens have to become text
  return { reasoning: undefined, markers: reasoning?.markers ?? [] }
}
