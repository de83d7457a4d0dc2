import type { JobUsage } from '@resultity/store'
import { z } from 'zod'

/** More than any answer takes. */
const TOKENS_MAX = 2 ** 31

const tokens = z.int().min(0).max(TOKENS_MAX)

/** What a server says that an answer took. */
export const toldUsageSchema = z.object({
  prompt_tokens: tokens,
  completion_tokens: tokens.nullish(),
  prompt_tokens_details: z.object({ cached_tokens: tokens.nullish() }).nullish(),
  completion_tokens_details: z.object({ reasoning_tokens: tokens.nullish() }).nullish()
})
export type ToldUsage = z.infer<typeof toldUsageSchema>

/** Bytes of common text that are one token, about. */
const TOKEN_BYTES = 4

/** Tokens of a text, where nobody has counted them. Pure. */
export function estimatedTokens(bytes: number): number {
  return Math.ceil(bytes / TOKEN_BYTES)
}

/** What counts: as the server says, or an estimate. Pure. */
export function jobUsageOf(told: ToldUsage | null | undefined, estimate: JobUsage): JobUsage {
  if (told === null || told === undefined) return estimate
  const completionTokens = told.completion_tokens ?? 0
  const reasoningTokens = Math.min(told.completion_tokens_details?.reasoning_tokens ?? 0, completionTokens)
  const cachedTokens = Math.min(told.prompt_tokens_details?.cached_tokens ?? 0, told.prompt_tokens)
  return {
    promptTokens: told.prompt_tokens,
    ...(cachedTokens === 0 ? {} : { cachedTokens }),
    completionTokens,
    ...(reasoningTokens === 0 ? {} : { reasoningTokens })
  }
}
