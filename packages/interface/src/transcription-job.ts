import { z } from 'zod'
import { decodePcm, encodePcm } from './pcm.ts'
import { readJson } from './read-json.ts'

/** The endpoint of a job that writes what is said in a piece of sound. */
export const TRANSCRIPTIONS_ENDPOINT = '/v1/audio/transcriptions'

/** Samples of a second. */
export const SPEECH_SAMPLE_RATE = 16_000

/** Samples of one piece at the most: 30 s, what a Whisper hears at once. */
export const PIECE_SAMPLES_MAX = 30 * SPEECH_SAMPLE_RATE

/** Tokens that a piece's prompt may have; models read fewer. */
const PROMPT_TOKENS_MAX = 1024

/** Times that one window is written at the most. */
const TEMPERATURES_MAX = 8

/** How hot a window's text is written, try by try, where nobody says otherwise: those of OpenAI's reference (`transcribe.py`). */
export const FALLBACK_TEMPERATURES: readonly number[] = [0, 0.2, 0.4, 0.6, 0.8, 1]

/** Segments of one piece: a window has half as many as tokens, and pieces have few windows. */
const SEGMENTS_MAX = 1024

/** Tokens of one segment, and words in it. */
const SEGMENT_TOKENS_MAX = 1024

/** A window begins within its piece, and a timestamp may be at its end: 30 s later. */
const SECONDS_MAX = 60

/** Bytes of a result: the most segments that windows of a piece have take a third of it. */
export const TRANSCRIPTION_RESULT_BYTES_MAX = 2 * 1024 * 1024

/** As ISO 639 has it, with two or three letters. */
const language = z.string().regex(/^[a-z]{2,3}$/)
const token = z.int().nonnegative()
const finite = z.number()

/** What a coordinator sends. */
export const transcriptionJobSchema = z.object({
  /** Samples at 16 kHz, i16 little endian, in base64. */
  pcm: z
    .base64()
    .min(4)
    .max(4 * Math.ceil((PIECE_SAMPLES_MAX * Int16Array.BYTES_PER_ELEMENT) / 3)),
  /** Its own words, or English. */
  task: z.enum(['transcribe', 'translate']),
  /** The language spoken. Absent: what the model hears. */
  language: language.optional(),
  /** Tokens of what was said before, or shows how to write. */
  prompt: z.array(token).max(PROMPT_TOKENS_MAX),
  /** How hot the text is written, try by try, until one is good enough. */
  temperatures: z.array(z.number().min(0).max(1)).min(1).max(TEMPERATURES_MAX),
  /** Whether words are timed. */
  words: z.boolean(),
  /** Of what is drawn above temperature 0. */
  seed: z.int().nonnegative()
})
export type TranscriptionJob = z.infer<typeof transcriptionJobSchema>

const seconds = z.number().min(0).max(SECONDS_MAX)

const segmentSchema = z
  .object({
    /** Frame of 10 ms at which its window begins, in the piece. */
    seek: z.int().nonnegative(),
    /** Seconds from the beginning of the piece. */
    start: seconds,
    end: seconds,
    /** Text, and the timestamps around it. */
    tokens: z.array(token).min(1).max(SEGMENT_TOKENS_MAX),
    /** Natural logarithm of the probability of each token. */
    logprobs: z.array(finite.max(0.001)).max(SEGMENT_TOKENS_MAX),
    temperature: z.number().min(0).max(1),
    averageLogprob: finite,
    compressionRatio: finite.nonnegative(),
    /** Probability that nobody speaks. */
    noSpeech: z.number().min(0).max(1.001),
    /** Words with the tokens that write them, in order. */
    words: z
      .array(z.object({ tokens: z.array(token).min(1).max(SEGMENT_TOKENS_MAX), start: seconds, end: seconds }))
      .max(SEGMENT_TOKENS_MAX)
      .optional()
  })
  .refine(({ start, end }) => start <= end, { message: 'ends before it begins', path: ['end'] })
  .refine(({ tokens, logprobs }) => tokens.length === logprobs.length, {
    message: 'there is one for each token',
    path: ['logprobs']
  })

/** What a node answers. */
export const transcriptionResultSchema = z.object({
  language: z.object({ code: language, probability: z.number().min(0).max(1.001) }),
  segments: z.array(segmentSchema).max(SEGMENTS_MAX)
})
export type TranscriptionResult = z.infer<typeof transcriptionResultSchema>

/** The samples as a job carries them: of f32 from -1 to 1, what is beyond is cut. */
export function toPcm(samples: Float32Array): string {
  return Buffer.from(encodePcm(samples).buffer).toString('base64')
}

/** The samples of a job, f32 from -1 to 1. @returns undefined where there is half a sample */
export function fromPcm(pcm: string): Float32Array<ArrayBuffer> | undefined {
  const bytes = Buffer.from(pcm, 'base64')
  return bytes.length % Int16Array.BYTES_PER_ELEMENT === 0 ? decodePcm(bytes) : undefined
}

/** What a node answered. @returns undefined where that is not the form of a result, or far too long */
export function readTranscriptionResult(result: Uint8Array): TranscriptionResult | undefined {
  return result.length > TRANSCRIPTION_RESULT_BYTES_MAX ? undefined : readJson(transcriptionResultSchema, result)
}
