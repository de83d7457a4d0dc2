import type { WhisperConfig } from '@resultity/interface'

export interface SpokenLanguage {
  /** Such as `de`. */
  readonly code: string
  /** From 0 to 1, among the languages that the model knows. */
  readonly probability: number
}

/** What a model without languages writes. */
export const ENGLISH: SpokenLanguage = { code: 'en', probability: 1 }

/** The likeliest language, by the logits behind `startOfTranscript`. */
export function spokenLanguage(logits: Float32Array, { languages }: Pick<WhisperConfig, 'languages'>): SpokenLanguage {
  const scored = Object.entries(languages).map(([code, token]) => ({
    code,
    logit: logits[token] ?? Number.NEGATIVE_INFINITY
  }))
  const best = scored.reduce((one, other) => (other.logit > one.logit ? other : one), {
    code: 'en',
    logit: Number.NEGATIVE_INFINITY
  })
  const sum = scored.reduce((total, { logit }) => total + Math.exp(logit - best.logit), 0)
  return Number.isFinite(best.logit) ? { code: best.code, probability: 1 / sum } : ENGLISH
}
