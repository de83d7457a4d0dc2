import type { AnswerText } from './answer-text.ts'

/** What an answer took, in tokens. */
export interface Usage {
  readonly promptTokens: number
  /** Those of them that were not computed, because the stages had kept them. Absent: none. */
  readonly cachedTokens?: number
  /** Sampled tokens, an end token included. */
  readonly completionTokens: number
  /** Those of the reasoning, its tags included. Absent: none. */
  readonly reasoningTokens?: number
}

/** @param kept prompt tokens that were not computed */
export function usageOf(promptTokens: number, { count, reasoningCount }: AnswerText, kept: number): Usage {
  return {
    promptTokens,
    ...(kept === 0 ? {} : { cachedTokens: kept }),
    completionTokens: count,
    ...(reasoningCount === 0 ? {} : { reasoningTokens: reasoningCount })
  }
}
