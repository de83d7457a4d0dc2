import { z } from 'zod'
import { fromFloatBlock, readBytesMessage, toFloatBlock, writeBytesMessage } from './bytes-message.ts'
import { TIME_ID_COUNT } from './diffusion-config.ts'
import type { Latents } from './diffusion-model.ts'
import { MeshError } from './errors.ts'
import { LATENT_VALUES_MAX, PROMPT_CHUNKS_MAX, type PromptTokens, promptTokensSchema } from './picture-job.ts'
import { safeParse } from './safe-parse.ts'

/** The endpoint of a job that is one run of a denoiser: half of a step of a picture that two nodes draw. */
export const DENOISE_ENDPOINT = '/v1/images/generations/denoise'

/** Rows or columns of latents; a picture has fewer. */
const SIDE_MAX = 4096
const CHANNELS_MAX = 1024

const headSchema = z.object({
  /** Absent: the states of the text are zeros, of so many chunks. */
  prompt: promptTokensSchema.optional(),
  chunks: z.int().min(1).max(PROMPT_CHUNKS_MAX),
  channels: z.int().min(1).max(CHANNELS_MAX),
  height: z.int().min(1).max(SIDE_MAX),
  width: z.int().min(1).max(SIDE_MAX),
  timestep: z.number(),
  timeIds: z.array(z.number()).max(TIME_ID_COUNT)
})

/** Of settings, most of which are tokens. */
const HEAD_BYTES_MAX = 512 * 1024

/** A result says nothing beside its numbers. */
const RESULT_HEAD_BYTES_MAX = 64

/** What a coordinator sends. */
export interface DenoiseJob {
  readonly prompt: PromptTokens | undefined
  readonly chunks: number
  /** As the scheduler scaled them. */
  readonly latents: Latents
  readonly timestep: number
  readonly timeIds: readonly number[]
}

export function writeDenoiseJob({ latents, ...job }: DenoiseJob): Uint8Array<ArrayBuffer> {
  const { channels, height, width, values } = latents
  return writeBytesMessage({ head: { ...job, channels, height, width }, blocks: [toFloatBlock(values)] })
}

/** Reads the body of a job. @throws MeshError `protocol_violation` saying what is wrong with it */
export function readDenoiseJob(body: Uint8Array): DenoiseJob {
  const message = readBytesMessage(body, HEAD_BYTES_MAX)
  if (message === undefined) throw wrongBody('it is no JSON with bytes behind it')
  const { data, error } = safeParse(headSchema, message.head)
  if (error !== undefined) {
    const [issue] = error.issues
    throw wrongBody(`at ${issue?.path.join('.')}: ${issue?.message}`)
  }
  const { channels, height, width, prompt, ...job } = data
  const count = channels * height * width
  const [block, ...others] = message.blocks
  const values = count > LATENT_VALUES_MAX || others.length > 0 ? undefined : fromFloatBlock(block, count)
  if (values === undefined) throw wrongBody(`at latents: not ${channels} × ${height} × ${width} numbers`)
  return { ...job, prompt, latents: { channels, height, width, values } }
}

/** What a node answers: what the denoiser predicts. */
export function writeDenoiseResult(prediction: Float32Array): Uint8Array<ArrayBuffer> {
  return writeBytesMessage({ head: {}, blocks: [toFloatBlock(prediction)] })
}

/** What a node answered. @returns undefined where it is not `count` finite numbers */
export function readDenoiseResult(result: Uint8Array, count: number): Float32Array | undefined {
  const [block, ...others] = readBytesMessage(result, RESULT_HEAD_BYTES_MAX)?.blocks ?? []
  return others.length > 0 ? undefined : fromFloatBlock(block, count)
}

function wrongBody(what: string): MeshError {
  return new MeshError('protocol_violation', `the body of the job is wrong: ${what}`)
}
