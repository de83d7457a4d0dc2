import { z } from 'zod'

/** The endpoint of a job that says one sentence. */
export const SPEECH_ENDPOINT = '/v1/audio/speech'

/**
 * Ids of one sentence at the most, padding included; of one that is said slowly, fewer. Some 14 s of speech: what one run takes
 * of memory is bounded by it.
 */
export const SENTENCE_IDS_MAX = 640

/** Samples of one sentence at the most: 43 s at the highest rate, and in base64 a quarter of a frame. */
export const SENTENCE_SAMPLES_MAX = 2_097_152

/** Length of sounds against the voice's usual one: 1 over the speed, for speeds of .25 to 4. */
export const LENGTH_SCALE_MIN = 0.25
export const LENGTH_SCALE_MAX = 4

/** What a coordinator sends: one sentence of the voice's own phonemes. */
export const synthesisJobSchema = z
  .object({
    phonemeIds: z.array(z.int().nonnegative()).min(1).max(SENTENCE_IDS_MAX),
    /** Of a model with several. */
    speaker: z.int().nonnegative().optional(),
    /** Multiplies the voice's own length scale. */
    lengthScale: z.number().min(LENGTH_SCALE_MIN).max(LENGTH_SCALE_MAX)
  })
  .refine(({ phonemeIds, lengthScale }) => phonemeIds.length * lengthScale <= SENTENCE_IDS_MAX, {
    message: `said so slowly, a sentence has fewer ids than ${SENTENCE_IDS_MAX}`,
    path: ['phonemeIds']
  })
export type SynthesisJob = z.infer<typeof synthesisJobSchema>

/** Tokens of one sentence at the most, for a model that reads tokens: published ones read 256. */
export const SENTENCE_TOKENS_MAX = 1024

/** What a coordinator sends to a model that reads tokens: one sentence, and whom and how it is said by. */
export const tokenSynthesisJobSchema = z.object({
  /** Ids of the model's tokenizer. */
  tokens: z.array(z.int().nonnegative()).min(1).max(SENTENCE_TOKENS_MAX),
  /** Of a model with several voices. */
  speaker: z.int().nonnegative().optional(),
  /** Of all chance: an unsigned number of 64 bits, in decimal. */
  seed: z
    .string()
    .regex(/^\d{1,20}$/)
    .refine(seed => BigInt(seed) < 2n ** 64n, 'a seed has 64 bits'),
  /** Which sentence of its text it is: each has chance of its own. */
  sentence: z.int().nonnegative().max(4_294_967_295),
  /** 0: the most likely tokens. Default: the model's own. */
  temperature: z.number().min(0).max(2).optional()
})
export type TokenSynthesisJob = z.infer<typeof tokenSynthesisJobSchema>

/** A sentence, as a model of either kind reads it. */
export const sentenceJobSchema = z.union([synthesisJobSchema, tokenSynthesisJobSchema])
export type SentenceJob = z.infer<typeof sentenceJobSchema>

/** What a node answers. */
export const synthesisResultSchema = z.object({
  /** In Hz. */
  sampleRate: z.int().positive(),
  /** One channel, s16 little endian, in base64. */
  samples: z.base64()
})
export type SynthesisResult = z.infer<typeof synthesisResultSchema>

/** Samples as a result carries them. @param samples from -1 to 1; what is beyond is clipped */
export function toSynthesisResult(samples: Float32Array, sampleRate: number): SynthesisResult {
  const bytes = Buffer.alloc(2 * samples.length)
  for (const [index, sample] of samples.entries()) {
    bytes.writeInt16LE(Math.round(Math.max(-1, Math.min(1, sample)) * 32_767), 2 * index)
  }
  return { sampleRate, samples: bytes.toString('base64') }
}

/**
 * The samples of a result.
 *
 * @returns s16, undefined when these are no whole samples, none, or more than a sentence may have
 */
export function fromSynthesisResult({ samples }: SynthesisResult): Int16Array<ArrayBuffer> | undefined {
  const bytes = Buffer.from(samples, 'base64')
  const count = bytes.length / 2
  if (!Number.isInteger(count) || count === 0 || count > SENTENCE_SAMPLES_MAX) return undefined
  return Int16Array.from({ length: count }, (_, index) => bytes.readInt16LE(2 * index))
}
