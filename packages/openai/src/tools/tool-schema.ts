import { TOOL_FUNCTIONS_MAX } from '@resultity/interface'
import { z } from 'zod'

/** As Anthropic takes them, which is twice as long as OpenAI does, and a point, which others use to part a name. */
const functionName = z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/, 'a function name has 1 to 128 of A-Z a-z 0-9 _ . -')

const functionBody = z.looseObject({
  name: functionName,
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish()
})

/** A function that the model may call. */
export const functionToolSchema = z.looseObject({ type: z.literal('function'), function: functionBody })
export type FunctionTool = z.infer<typeof functionToolSchema>

/** Half of a surrogate pair is no character: UTF-8, which answers are in, has none. */
const definition = z
  .string()
  .min(1)
  .refine(value => value.isWellFormed(), { error: 'has half of a surrogate pair' })

const customFormat = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({
    type: z.literal('grammar'),
    grammar: z.looseObject({ definition, syntax: z.enum(['lark', 'regex']) })
  })
])
export type CustomFormat = z.infer<typeof customFormat>

/** A tool that the model gives a text, not the arguments of a function. */
export const customToolSchema = z.looseObject({
  type: z.literal('custom'),
  custom: z.looseObject({
    name: functionName,
    description: z.string().nullish(),
    /** What the text must be; default: any. */
    format: customFormat.nullish()
  })
})
export type CustomTool = z.infer<typeof customToolSchema>

const toolSchema = z.discriminatedUnion('type', [functionToolSchema, customToolSchema], {
  error: 'only tools of type "function" and "custom" are served'
})

const namedChoice = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({ name: functionName })
})
const namedCustom = z.looseObject({
  type: z.literal('custom'),
  custom: z.looseObject({ name: functionName })
})

/** Some of the tools: the model is told of all, and may call these. */
const allowedChoice = z.looseObject({
  type: z.literal('allowed_tools'),
  allowed_tools: z.looseObject({
    mode: z.enum(['auto', 'required']),
    tools: z
      .array(z.union([namedChoice, namedCustom]))
      .min(1)
      .max(TOOL_FUNCTIONS_MAX)
  })
})

/** The fields of a request that speak of tools. */
export const toolFields = {
  tools: z.array(toolSchema).max(TOOL_FUNCTIONS_MAX).nullish(),
  tool_choice: z
    .union([z.enum(['none', 'auto', 'required']), namedChoice, namedCustom, allowedChoice], {
      error:
        'tool_choice is "none", "auto", "required", {"type":"function","function":{"name":…}}, ' +
        '{"type":"custom","custom":{"name":…}}, or {"type":"allowed_tools","allowed_tools":{"mode":…,"tools":[…]}}'
    })
    .nullish(),
  parallel_tool_calls: z.boolean().nullish()
}

/** What chat completions called tools before there were others than functions. */
export const legacyToolFields = {
  functions: z.array(functionBody).max(TOOL_FUNCTIONS_MAX).nullish(),
  function_call: z
    .union([z.enum(['none', 'auto']), z.looseObject({ name: functionName })], {
      error: 'function_call is "none", "auto", or {"name":…}'
    })
    .nullish()
}

const calledFunction = z.looseObject({ name: z.string().max(256), arguments: z.string() })

/** A call in an assistant's message of an earlier turn. */
export const pastCallSchema = z.discriminatedUnion('type', [
  z.looseObject({
    id: z.string().max(256).default(''),
    type: z.literal('function').optional(),
    function: calledFunction
  }),
  z.looseObject({
    id: z.string().max(256).default(''),
    type: z.literal('custom'),
    custom: z.looseObject({ name: z.string().max(256), input: z.string() })
  })
])
export type PastCall = z.infer<typeof pastCallSchema>

/** The one call of such a message, as it was told before there were several. */
export const legacyCallSchema = calledFunction

/** A call in an answer. */
export const toolCallSchema = z.discriminatedUnion('type', [
  z.object({
    id: z.string(),
    type: z.literal('function'),
    function: z.object({ name: z.string(), arguments: z.string() })
  }),
  z.object({ id: z.string(), type: z.literal('custom'), custom: z.object({ name: z.string(), input: z.string() }) })
])
export type ToolCallAnswer = z.infer<typeof toolCallSchema>

/** The call of an answer to a request with `functions`. */
export const functionCallSchema = z.object({ name: z.string(), arguments: z.string() })
export type FunctionCallAnswer = z.infer<typeof functionCallSchema>

/** A piece of a call in a streamed answer: the first of each has id, type and name. */
export const toolCallDeltaSchema = z.object({
  index: z.int(),
  id: z.string().optional(),
  type: z.enum(['function', 'custom']).optional(),
  function: z.object({ name: z.string().optional(), arguments: z.string() }).optional(),
  custom: z.object({ name: z.string().optional(), input: z.string() }).optional()
})
export type ToolCallDelta = z.infer<typeof toolCallDeltaSchema>

/** A piece of the call of an answer to a request with `functions`: the first has the name. */
export const functionCallDeltaSchema = z.object({ name: z.string().optional(), arguments: z.string() })
export type FunctionCallDelta = z.infer<typeof functionCallDeltaSchema>
