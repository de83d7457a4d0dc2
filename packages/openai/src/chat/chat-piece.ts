import { MeshError } from '@resultity/interface'
import { z } from 'zod'

// A chat completion, as far as what is made of one in other words reads it.

const topLogprob = z.looseObject({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()).nullish() })
export type TopLogprob = z.infer<typeof topLogprob>

const toolDelta = z.looseObject({
  index: z.int(),
  id: z.string().nullish(),
  function: z.looseObject({ name: z.string().nullish(), arguments: z.string().nullish() }).nullish(),
  custom: z.looseObject({ name: z.string().nullish(), input: z.string().nullish() }).nullish()
})
export type ToolDelta = z.infer<typeof toolDelta>

const logprobs = z
  .looseObject({ content: z.array(topLogprob.extend({ top_logprobs: z.array(topLogprob) })).nullish() })
  .nullish()

/** A piece of a chat completion's choice: what its log has. */
export const chatPieceSchema = z.looseObject({
  delta: z.looseObject({
    content: z.string().nullish(),
    reasoning_content: z.string().nullish(),
    tool_calls: z.array(toolDelta).nullish()
  }),
  finish_reason: z.string().nullish(),
  stop_reason: z.string().nullish(),
  logprobs
})
export type ChatPiece = z.infer<typeof chatPieceSchema>

const completionSchema = z.looseObject({
  choices: z.array(
    z.looseObject({
      message: z.looseObject({
        content: z.string().nullish(),
        reasoning_content: z.string().nullish(),
        tool_calls: z.array(z.looseObject({})).nullish()
      }),
      finish_reason: z.string(),
      stop_reason: z.string().nullish(),
      logprobs
    })
  )
})

/** The first choice of a whole chat completion, as one piece. */
export function wholePiece(completion: unknown): ChatPiece & { readonly finish_reason: string } {
  const [choice] = completionSchema.parse(completion).choices
  if (choice === undefined) throw new MeshError('internal', 'the answer had no choice')
  const { message, finish_reason, stop_reason, logprobs } = choice
  const calls = (message.tool_calls ?? []).map((call, index) => ({ ...call, index }))
  const { content, reasoning_content } = message
  const delta = { content, reasoning_content, tool_calls: calls }
  const piece = { delta, finish_reason, stop_reason, logprobs }
  return { ...chatPieceSchema.parse(piece), finish_reason }
}
