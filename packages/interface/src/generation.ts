import { z } from 'zod'

/** Beyond, nothing but tokens that were never seen is left. */
export const REPETITION_PENALTY_MAX = 100

/** Below it, what is left of a penalty as a 32-bit number may be none. */
export const REPETITION_PENALTY_MIN = 1e-6
/** Tokens of one `logitBias`. OpenAI takes 1,024; clients of vLLM ban whole scripts. Bounds what a step of sampling adds up. */
export const LOGIT_BIAS_MAX = 65_536

/**
 * How the last stage picks a token. `temperature` 0 is greedy: the highest logit, the lowest id on a tie.
 * Else the token is drawn with a counter-based generator keyed by (seed, position), so a replay on another
 * node draws the same token. Tokens are dropped by `minP`, then `topK`, then `topP`, each of what the one before left.
 */
export const samplingSchema = z.object({
  temperature: z.number().min(0).max(2),
  /** Smallest set of tokens whose probabilities reach this sum is kept; 1 keeps all. */
  topP: z.number().gt(0).max(1),
  /** Unsigned 64-bit seed. */
  seed: z.bigint().min(0n).max(0xffff_ffff_ffff_ffffn),
  /** So many of the most likely tokens are kept; absent keeps all. */
  topK: z.int().min(1).max(0xffff_ffff).optional(),
  /** Tokens less likely than this share of the most likely one are dropped; absent drops none. */
  minP: z.number().gt(0).max(1).optional(),
  /** Taken from a token's logit for each time it came in the answer. */
  frequencyPenalty: z.number().min(-2).max(2).optional(),
  /** Taken from a token's logit once it came in the answer. */
  presencePenalty: z.number().min(-2).max(2).optional(),
  /** Divides the positive logits of tokens that came in the prompt or the answer, multiplies the negative ones. */
  repetitionPenalty: z.number().gt(0).max(REPETITION_PENALTY_MAX).optional(),
  /** Added to logits. Tokens that the model does not have are passed over. */
  logitBias: z
    .array(z.object({ token: z.int().min(0).max(0xffff_ffff), bias: z.number().min(-100).max(100) }))
    .max(LOGIT_BIAS_MAX)
    .optional()
})
export type Sampling = z.infer<typeof samplingSchema>

/** Greedy decoding. */
export const GREEDY: Sampling = { temperature: 0, topP: 1, seed: 0n }

/** Why a generation ended: an end token or stop string, or the token limit. */
export type FinishReason = 'stop' | 'length'
