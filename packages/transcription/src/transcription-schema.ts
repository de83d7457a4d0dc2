import { embeddingsRequestSchema, seedSchema, steeringFields } from '@resultity/openai'
import { z } from 'zod'

const { store } = embeddingsRequestSchema.shape

/** What is left of a prompt is its end; longer ones are no prompt but a mistake. */
const PROMPT_CHARACTERS_MAX = 16_384

/** Of OpenAI, without the one that names speakers. */
export const responseFormats = ['json', 'text', 'srt', 'verbose_json', 'vtt'] as const
export type ResponseFormat = (typeof responseFormats)[number]

/** How recordings are cut at pauses. */
const voiceActivitySchema = z.looseObject({
  type: z.literal('server_vad'),
  /** Sound before speech that is kept with it. */
  prefix_padding_ms: z.int().min(0).max(5000).nullish(),
  /** A pause is at least so long. */
  silence_duration_ms: z.int().min(1).max(10_000).nullish(),
  /** Probability at which speech begins. */
  threshold: z.number().min(0.05).max(0.95).nullish()
})

const steering = z.looseObject({
  ...steeringFields,
  /** What happens when the client hangs up; default `cancel`. */
  on_disconnect: z.enum(['cancel', 'continue']).nullish()
})

const common = {
  /** The recording, or the id of a file that was uploaded before. */
  file: z
    .string({ error: 'file is a recording in a form, or the id of an uploaded file' })
    .min(1)
    .max(128)
    .meta({ format: 'binary' }),
  /** May be left out where one model for speech is served. */
  model: z.string().max(512).nullish(),
  /** What was said before, or shows how to write; the last 223 tokens of it count. */
  prompt: z.string().max(PROMPT_CHARACTERS_MAX).nullish(),
  response_format: z
    .enum([...responseFormats, 'diarized_json'], { error: `response_format is one of ${responseFormats.join(', ')}` })
    .nullish(),
  /** 0, the default: texts that are no good are written again, hotter and hotter. Above: as hot as that, once. */
  temperature: z.number().min(0).max(1).nullish(),
  seed: seedSchema.nullish(),
  stream: z.boolean().nullish(),
  timestamp_granularities: z
    .array(z.enum(['word', 'segment']))
    .max(4)
    .nullish(),
  chunking_strategy: z
    .union([z.literal('auto'), voiceActivitySchema], { error: 'chunking_strategy is "auto" or a server_vad' })
    .nullish(),
  include: z
    .array(z.enum(['logprobs']))
    .max(4)
    .nullish(),
  store,
  mesh: steering.nullish()
}

/** Body of `POST /v1/audio/transcriptions`; in a form, lists are `NAME[]` or `NAME`, several times. */
export const transcriptionRequestSchema = z
  .looseObject({
    ...common,
    /** The language spoken, by its ISO-639-1 code. Default: what the model hears. */
    language: z.string().max(64).nullish()
  })
  .meta({ id: 'CreateTranscriptionRequest' })

/** Body of `POST /v1/audio/translations`. */
export const translationRequestSchema = z
  .looseObject({
    ...common,
    language: z.string().max(64).nullish(),
    /** Only English. */
    target_language: z.string().max(64).nullish()
  })
  .meta({ id: 'CreateTranslationRequest' })
export type SpeechRequest = z.infer<typeof translationRequestSchema>

const logprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()) })
export type TokenLogprob = z.infer<typeof logprob>

const durationUsage = z.object({ type: z.literal('duration'), seconds: z.number() })

const segment = z.object({
  id: z.int(),
  /** Hundredths of a second at which the window begins that it was heard in. */
  seek: z.int(),
  start: z.number(),
  end: z.number(),
  text: z.string(),
  tokens: z.array(z.int()),
  temperature: z.number(),
  avg_logprob: z.number(),
  compression_ratio: z.number(),
  no_speech_prob: z.number()
})

export const transcriptSchema = z
  .object({ text: z.string(), logprobs: z.array(logprob).optional(), usage: durationUsage })
  .meta({ id: 'CreateTranscriptionResponseJson' })

export const verboseTranscriptSchema = z
  .object({
    task: z.enum(['transcribe', 'translate']),
    /** Its English name, in small letters. */
    language: z.string(),
    /** Seconds. */
    duration: z.number(),
    text: z.string(),
    segments: z.array(segment).optional(),
    words: z.array(z.object({ word: z.string(), start: z.number(), end: z.number() })).optional(),
    usage: durationUsage
  })
  .meta({ id: 'CreateTranscriptionResponseVerboseJson' })
export type VerboseTranscript = z.infer<typeof verboseTranscriptSchema>

const tokenUsage = z.object({
  type: z.literal('tokens'),
  input_tokens: z.int(),
  input_token_details: z.object({ text_tokens: z.int(), audio_tokens: z.int() }),
  output_tokens: z.int(),
  total_tokens: z.int()
})
export type TranscriptTokenUsage = z.infer<typeof tokenUsage>

export const transcriptEventSchema = z
  .union([
    z.object({
      type: z.literal('transcript.text.delta'),
      delta: z.string(),
      logprobs: z.array(logprob).optional()
    }),
    z.object({
      type: z.literal('transcript.text.done'),
      text: z.string(),
      logprobs: z.array(logprob).optional(),
      usage: tokenUsage
    })
  ])
  .meta({ id: 'CreateTranscriptionResponseStreamEvent' })
