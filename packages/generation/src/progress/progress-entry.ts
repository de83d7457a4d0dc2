import { z } from 'zod'

/** Tokens of an entry, positions and sizes: nothing here is larger. */
const count = z.int().min(0).max(0xffff_ffff)

/** JSON has no infinity: `null` is the logarithm of nothing. */
const logprob = z.number().nullable()

/** A token's log-probability and its alternatives, `[token, logprob]` each. */
const score = z.tuple([logprob, z.array(z.tuple([count, logprob])).max(1024)])
export type EntryScore = z.infer<typeof score>

const stage = z.object({
  peerId: z.string().max(256),
  first: count,
  end: count,
  kernels: z.string().max(256).optional(),
  selfTest: z.string().max(256)
})

/** What the first tokens of an answer were made of, and by whom. */
const beginning = z.object({
  /** Digest of the model and the prompt: an answer to anything else does not go on from here. */
  of: z.string().max(128),
  /** The steps that the prompt ran in: they decide the last bits of all that follows. */
  prefillChunk: z.int().min(1).max(0xffff_ffff),
  placementId: z.string().max(256),
  stages: z.array(stage).min(1).max(1024)
})
export type EntryBeginning = z.infer<typeof beginning>

/**
 * What one write of a job's log adds to what is known of one choice. It is read by another process, perhaps of another version.
 */
export const progressEntrySchema = z.object({
  /** The choice. */
  index: count,
  /** Tokens before those of this entry. If there were more, the others are void. */
  at: count,
  tokens: z.array(count),
  /** With each of the tokens, where they were asked for. */
  logprobs: z.array(score).optional(),
  /** Why none comes after the last one. */
  finish: z.enum(['end_token', 'tokens_max']).optional(),
  /** Scores of consecutive tokens of the prompt, from this position on. */
  prompt: z.object({ position: z.int().min(1), scores: z.array(score) }).optional(),
  /** With the first token. */
  beginning: beginning.optional(),
  /** How often the answer has moved to another route, once it has. */
  reroutes: z.object({ count, exact: z.boolean() }).optional()
})
export type ProgressEntry = z.infer<typeof progressEntrySchema>
