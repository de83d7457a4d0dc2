import { audioFormats } from '@resultity/audio'
import { embeddingsRequestSchema, seedSchema } from '@resultity/openai'
import { z } from 'zod'

const { store, mesh } = embeddingsRequestSchema.shape

/** Characters of one request, as OpenAI limits them. */
export const INPUT_CHARACTERS_MAX = 4096

const SPEED_MIN = 0.25
const SPEED_MAX = 4

const voiceName = z.string().min(1).max(256)

/** Body of `POST /v1/audio/speech`. */
export const speechRequestSchema = z
  .looseObject({
    /** May be left out where one voice is served. */
    model: z.string().max(512).nullish(),
    /** A text: English, or for a voice that reads tokens in any language that it knows. */
    input: z.string().min(1).max(INPUT_CHARACTERS_MAX),
    /** One of `GET /v1/audio/voices`. OpenAI's names, such as "alloy", are the model's own voice. Default: that one. */
    voice: z
      .union([voiceName, z.looseObject({ id: voiceName })], { error: 'voice is a name, or an object with an id' })
      .nullish(),
    /** What changes the sound is not served: empty, or left out. */
    instructions: z.string().max(INPUT_CHARACTERS_MAX).nullish(),
    /** "aac" needs an ffmpeg on the coordinator. */
    response_format: z.enum(audioFormats).nullish(),
    /** As fast as usual times this. The pitch stays as it is. */
    speed: z.number().min(SPEED_MIN).max(SPEED_MAX).nullish(),
    /** Of a voice that draws its tokens: the same seed says the same. Default: one is drawn, and told in `x-resultity-seed`. */
    seed: seedSchema.nullish(),
    /** Of a voice that draws its tokens: 0 for the most likely ones. Default: the model's own. */
    temperature: z.number().min(0).max(2).nullish(),
    /** The file's own bytes as they are made, or server-sent events that carry them in base64. */
    stream_format: z.enum(['audio', 'sse']).nullish(),
    store,
    mesh
  })
  .meta({ id: 'CreateSpeechRequest' })
export type SpeechRequest = z.infer<typeof speechRequestSchema>

const usage = z.object({
  /** Characters of the input. */
  input_tokens: z.int(),
  /** Seconds of sound, one that was begun included. */
  output_tokens: z.int(),
  total_tokens: z.int()
})

/** Events of a stream with `stream_format` "sse". */
export const speechEventSchema = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('speech.audio.delta'), audio: z.base64() }),
    z.object({ type: z.literal('speech.audio.done'), usage })
  ])
  .meta({ id: 'CreateSpeechStreamEvent' })
export type SpeechEvent = z.infer<typeof speechEventSchema>

export const voiceSchema = z
  .object({
    id: z.string(),
    object: z.literal('audio.voice'),
    name: z.string(),
    /** The model that has it: what a request names beside it. */
    model: z.string(),
    /** Of the texts that it says, as `en_US`. */
    language: z.string(),
    /** Of the recordings that it was made from, as its publisher states it. */
    license: z.string().nullable(),
    /** In Hz. */
    sample_rate: z.int(),
    /** Speaks where a request names no voice. */
    default: z.boolean()
  })
  .meta({ id: 'Voice' })
export type Voice = z.infer<typeof voiceSchema>
