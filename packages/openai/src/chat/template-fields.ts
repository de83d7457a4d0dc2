import { invalidRequest } from '@resultity/interface'
import type { ServedDecoder } from '@resultity/placement'
import type { ChatTemplateOptions } from '@resultity/tokenizer'
import { z } from 'zod'
import { effortOf, type ReasoningFields } from '../answer/reasoning-fields.ts'

const VARIABLES_MAX = 32
const VARIABLES_CHARACTERS_MAX = 16_384

const templateVariables = z
  .record(z.string().max(64), z.unknown())
  .refine(
    values => Object.keys(values).length <= VARIABLES_MAX,
    `chat_template_kwargs has at most ${VARIABLES_MAX} names`
  )
  .refine(
    values => JSON.stringify(values).length <= VARIABLES_CHARACTERS_MAX,
    `chat_template_kwargs has at most ${VARIABLES_CHARACTERS_MAX} characters`
  )

/** How the model's chat template is to write a conversation, as in vLLM. */
export const templateFields = {
  /** Variables of the template, such as `enable_thinking`. One that it does not read does nothing. */
  chat_template_kwargs: templateVariables.nullish(),
  /** End the prompt with the head of an assistant turn. Default true, and false with `continue_final_message`. */
  add_generation_prompt: z.boolean().nullish(),
  /** Go on with the last message, which is the assistant's. */
  continue_final_message: z.boolean().nullish()
}

const templateBody = z.object(templateFields)

interface Templated extends z.infer<typeof templateBody> {
  readonly messages: readonly {
    readonly role: string
    readonly tool_calls?: readonly unknown[] | null | undefined
    readonly function_call?: unknown
  }[]
}

/** How a model's chat template is asked to write a conversation. */
export interface TemplateUse {
  readonly options: ChatTemplateOptions
  /** Fields that it has no use for. */
  readonly ignored: readonly string[]
}

/**
 * The request's own variables take precedence over what follows from other fields.
 * @throws MeshError `invalid_request` naming the field for a last message that cannot be gone on with
 */
export function templateUseOf(body: Templated & ReasoningFields, model: ServedDecoder): TemplateUse {
  const { chat_template_kwargs: values, add_generation_prompt: head, continue_final_message: goesOn } = body
  if (goesOn === true) requireOpenEnd(body)
  const effort = effortOf(body, model)
  const variables = { ...effort.variables, ...values }
  const options = {
    ...(typeof head === 'boolean' ? { addGenerationPrompt: head } : {}),
    ...(goesOn === true ? { continueFinalMessage: true } : {}),
    ...(Object.keys(variables).length === 0 ? {} : { variables })
  }
  return { options, ignored: effort.ignored ? ['reasoning_effort'] : [] }
}

function requireOpenEnd({ messages, add_generation_prompt: head }: Templated): void {
  if (head === true) {
    throw invalidRequest(
      'add_generation_prompt',
      'add_generation_prompt begins a new message, and continue_final_message goes on with the last',
      'Set one of them.'
    )
  }
  const last = messages.at(-1)
  const calls = [...(last?.tool_calls ?? []), ...(last?.function_call == null ? [] : [last.function_call])]
  if (last?.role === 'assistant' && calls.length === 0) return
  throw invalidRequest(
    'continue_final_message',
    'the last message is not a text of the assistant, so there is nothing to go on with',
    'End messages with one of role "assistant".'
  )
}
