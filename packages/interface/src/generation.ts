import { z } from 'zod'

/**
 * How the last stage picks a token. `temperature` 0 is greedy: the highest logit, the lowest id on a tie.
 * Else the token is drawn with a counter-based generator keyed by (seed, position), so a replay on another
 * node draws the same token.
 */
export const samplingSchema = z.object({
  temperature: z.number().min(0).max(2),
  /** Smallest set of tokens whose probabilities reach this sum is kept; 1 keeps all. */
  topP: z.number().gt(0).max(1),
  /** Unsigned 64-bit seed. */
  seed: z.bigint().min(0n).max(0xffff_ffff_ffff_ffffn)
})
export type Sampling = z.infer<typeof samplingSchema>

/** Greedy decoding. */
export const GREEDY: Sampling = { temperature: 0, topP: 1, seed: 0n }

/** Why a generation ended: an end token or stop string, or the token limit. */
export type FinishReason = 'stop' | 'length'
