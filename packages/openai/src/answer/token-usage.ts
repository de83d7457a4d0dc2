import type { JobUsage } from '@resultity/store'
import { z } from 'zod'

/** What an answer took, as OpenAI says it. */
export const tokenUsageSchema = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({ cached_tokens: z.int(), audio_tokens: z.int() }),
  completion_tokens_details: z.object({
    reasoning_tokens: z.int(),
    audio_tokens: z.int(),
    accepted_prediction_tokens: z.int(),
    rejected_prediction_tokens: z.int()
  })
})
export type TokenUsage = z.infer<typeof tokenUsageSchema>

export function toTokenUsage(usage: JobUsage): TokenUsage {
  const { promptTokens, cachedTokens = 0, completionTokens, reasoningTokens = 0 } = usage
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0
    }
  }
}

/** What several took together. */
export function sumUsage(usages: readonly JobUsage[]): JobUsage {
  const cachedTokens = usages.reduce((sum, usage) => sum + (usage.cachedTokens ?? 0), 0)
  const reasoningTokens = usages.reduce((sum, usage) => sum + (usage.reasoningTokens ?? 0), 0)
  return {
    promptTokens: usages.reduce((sum, usage) => sum + usage.promptTokens, 0),
    ...(cachedTokens === 0 ? {} : { cachedTokens }),
    completionTokens: usages.reduce((sum, usage) => sum + usage.completionTokens, 0),
    ...(reasoningTokens === 0 ? {} : { reasoningTokens })
  }
}
