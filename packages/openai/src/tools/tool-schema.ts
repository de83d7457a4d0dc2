import { TOOL_FUNCTIONS_MAX } from '@resultity/interface'
import { z } from 'zod'

/** As Anthropic takes them, which is twice as long as OpenAI does, and a point, which others use to part a name. */
const functionName = z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/, 'a function name has 1 to 128 of A-Z a-z 0-9 _ . -')

/** A function that the model may call. */
export const functionToolSchema = z.looseObject({
  type: z.literal('function', 'only tools of type "function" are served'),
  function: z.looseObject({
    name: functionName,
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
    strict: z.boolean().nullish()
  })
})
export type FunctionTool = z.infer<typeof functionToolSchema>

const namedChoice = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({ name: functionName })
})

/** Some of the tools: the model is told of all, and may call these. */
const allowedChoice = z.looseObject({
  type: z.literal('allowed_tools'),
  allowed_tools: z.looseObject({
    mode: z.enum(['auto', 'required']),
    tools: z.array(namedChoice).min(1).max(TOOL_FUNCTIONS_MAX)
  })
})

/** The fields of a request that speak of tools. */
export const toolFields = {
  tools: z.array(functionToolSchema).max(TOOL_FUNCTIONS_MAX).nullish(),
  tool_choice: z
    .union([z.enum(['none', 'auto', 'required']), namedChoice, allowedChoice], {
      error:
        'tool_choice is "none", "auto", "required", {"type":"function","function":{"name":…}}, or ' +
        '{"type":"allowed_tools","allowed_tools":{"mode":…,"tools":[…]}}'
    })
    .nullish(),
  parallel_tool_calls: z.boolean().nullish()
}

/** A call in an assistant's message of an earlier turn. */
export const pastCallSchema = z.looseObject({
  id: z.string().max(256).default(''),
  type: z.literal('function').default('function'),
  function: z.looseObject({ name: z.string().max(256), arguments: z.string() })
})
export type PastCall = z.infer<typeof pastCallSchema>

/** A call in an answer. */
export const toolCallSchema = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() })
})
export type ToolCallAnswer = z.infer<typeof toolCallSchema>

/** A piece of a call in a streamed answer: the first of each has id, type and name. */
export const toolCallDeltaSchema = z.object({
  index: z.int(),
  id: z.string().optional(),
  type: z.literal('function').optional(),
  function: z.object({ name: z.string().optional(), arguments: z.string() })
})
export type ToolCallDelta = z.infer<typeof toolCallDeltaSchema>
