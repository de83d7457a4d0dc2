import { z } from 'zod'
import { LOOKED_AT_SIDE_MAX } from './blip-config.ts'
import { readBytesMessage, writeBytesMessage } from './bytes-message.ts'
import { MeshError } from './errors.ts'
import { readJson } from './read-json.ts'
import { safeParse } from './safe-parse.ts'

/** The endpoint of a job that says what a picture shows. */
export const DESCRIPTIONS_ENDPOINT = '/v1/images/description'

/** Tokens of a question, and of a description with its beginning; models take fewer. */
export const DESCRIPTION_TOKENS_MAX = 4096

/** Of a job's settings: most are tokens. */
const HEAD_BYTES_MAX = 256 * 1024

/** A token and a comma, and what is around them. */
const RESULT_BYTES_MAX = DESCRIPTION_TOKENS_MAX * 8 + 1024

const SEED_MAX = 2n ** 64n - 1n

const tokens = z.array(z.int().nonnegative().max(4_194_303)).max(DESCRIPTION_TOKENS_MAX)
const count = z.int().nonnegative().max(DESCRIPTION_TOKENS_MAX)

/** What is asked of a picture, all of it decided. */
export const descriptionSettingsSchema = z
  .object({
    /** Tokens of the question, those that frame it included: of a model that answers, and of no other. */
    question: tokens.min(1).optional(),
    /** Tokens that the description begins with, behind the one that begins every text. */
    prompt: tokens,
    /** Of the description, without its beginning. */
    tokensMax: count.min(1),
    tokensMin: count,
    temperature: z.number().min(0).max(2),
    topP: z.number().positive().max(1),
    /** How much less likely a token is that was there before (Keskar et al., arXiv:1909.05858). */
    repetitionPenalty: z.number().positive().max(10),
    /** Of what is drawn above temperature 0: an unsigned number of 64 bits, in decimal. */
    seed: z
      .string()
      .regex(/^\d{1,20}$/)
      .refine(seed => BigInt(seed) <= SEED_MAX, 'a seed has 64 bits')
  })
  .refine(({ tokensMin, tokensMax }) => tokensMin <= tokensMax, {
    message: 'is more than the most',
    path: ['tokensMin']
  })
export type DescriptionSettings = z.infer<typeof descriptionSettingsSchema>

/** What a coordinator sends. */
export interface DescriptionJob extends DescriptionSettings {
  /** u8 `[side, side, 3]`: red, green and blue, of the model's size. */
  readonly rgb: Uint8Array
}

/** A job as its body carries it. */
export function writeDescriptionJob({ rgb, ...settings }: DescriptionJob): Uint8Array<ArrayBuffer> {
  return writeBytesMessage({ head: settings, blocks: [rgb] })
}

/** Reads the body of a job. @throws MeshError `protocol_violation` saying what is wrong with it */
export function readDescriptionJob(body: Uint8Array): DescriptionJob {
  const message = readBytesMessage(body, HEAD_BYTES_MAX)
  const [rgb, ...others] = message?.blocks ?? []
  if (message === undefined || rgb === undefined || others.length > 0) {
    throw wrongBody('it is no JSON with one picture behind it')
  }
  if (rgb.length > 3 * LOOKED_AT_SIDE_MAX ** 2) throw wrongBody(`at rgb: ${rgb.length} bytes are too many`)
  const { data, error } = safeParse(descriptionSettingsSchema, message.head)
  if (error !== undefined) {
    const [issue] = error.issues
    throw wrongBody(`at ${issue?.path.join('.')}: ${issue?.message}`)
  }
  // a copy: the bytes belong to the stream
  return { ...data, rgb: rgb.slice() }
}

/** What a node answers. */
const descriptionResultSchema = z.object({
  /** Of the description behind its beginning, without the one that ends it. */
  tokens,
  /** Whether the model came to an end, or was stopped by {@link DescriptionSettings.tokensMax} or by its context. */
  finish: z.enum(['stop', 'length'])
})
export type DescriptionResult = z.infer<typeof descriptionResultSchema>

export function writeDescriptionResult(result: DescriptionResult): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(result))
}

/** What a node answered. @returns undefined where that is not the form of a result, or far too long */
export function readDescriptionResult(result: Uint8Array): DescriptionResult | undefined {
  return result.length > RESULT_BYTES_MAX ? undefined : readJson(descriptionResultSchema, result)
}

function wrongBody(what: string): MeshError {
  return new MeshError('protocol_violation', `the body of the job is wrong: ${what}`)
}
