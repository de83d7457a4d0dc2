import { z } from 'zod'
import { toldUsageSchema } from './told-usage.ts'

// Answers of servers, as far as they are passed on: what is not named here stays behind.

const INDEX_MAX = 127
const CALLS_MAX = 1024
const NAME_CHARACTERS_MAX = 256
const ALTERNATIVES_MAX = 64
/** Of one token. */
const TOKEN_BYTES_MAX = 1024

const index = z.int().min(0).max(INDEX_MAX)
const name = z.string().max(NAME_CHARACTERS_MAX)
const stopReason = z.union([z.string().max(512), z.int()]).nullish()
const finishReason = z.enum(['stop', 'length', 'tool_calls', 'function_call', 'content_filter'])

const token = {
  token: z.string().max(TOKEN_BYTES_MAX),
  logprob: z.number(),
  bytes: z.array(z.int().min(0).max(255)).max(TOKEN_BYTES_MAX).nullish()
}
const tokenLogprobs = z
  .array(z.object({ ...token, top_logprobs: z.array(z.object(token)).max(ALTERNATIVES_MAX).nullish() }))
  .nullish()
export const chatLogprobsSchema = z.object({ content: tokenLogprobs, refusal: tokenLogprobs })

const said = {
  content: z.string().nullish(),
  refusal: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  /** The same, as some servers call it. */
  reasoning: z.string().nullish()
}

const calledFunction = z.object({ name: name.nullish(), arguments: z.string().nullish() })

const callDelta = z.object({
  index: z
    .int()
    .min(0)
    .max(CALLS_MAX - 1),
  id: name.nullish(),
  type: name.nullish(),
  function: calledFunction.nullish()
})

export const chatDeltaSchema = z.object({
  role: name.nullish(),
  ...said,
  tool_calls: z.array(callDelta).max(CALLS_MAX).nullish(),
  function_call: calledFunction.nullish()
})
export type ChatDelta = z.infer<typeof chatDeltaSchema>

/** An event of a chat completion. */
export const chatEventSchema = z.object({
  choices: z
    .array(
      z.object({
        index,
        delta: chatDeltaSchema.nullish(),
        finish_reason: finishReason.nullish(),
        stop_reason: stopReason,
        logprobs: chatLogprobsSchema.nullish()
      })
    )
    .max(INDEX_MAX + 1)
    .nullish(),
  usage: toldUsageSchema.nullish()
})
export type ChatEventChoice = NonNullable<z.infer<typeof chatEventSchema>['choices']>[number]

/** A whole chat completion. */
export const chatAnswerSchema = z.object({
  choices: z
    .array(
      z.object({
        index: index.nullish(),
        message: z.object({
          ...said,
          tool_calls: z
            .array(
              z.object({
                id: name.nullish(),
                type: name.nullish(),
                function: z.object({ name, arguments: z.string() })
              })
            )
            .max(CALLS_MAX)
            .nullish(),
          function_call: z.object({ name, arguments: z.string() }).nullish()
        }),
        finish_reason: finishReason.nullish(),
        stop_reason: stopReason,
        logprobs: chatLogprobsSchema.nullish()
      })
    )
    .min(1)
    .max(INDEX_MAX + 1),
  usage: toldUsageSchema.nullish()
})
