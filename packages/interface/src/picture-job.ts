import { z } from 'zod'
import { fromFloatBlock, readBytesMessage, toFloatBlock, writeBytesMessage } from './bytes-message.ts'
import { PICTURE_PIXELS_MAX, type PictureScheduler, pictureSchedulers } from './diffusion-config.ts'
import { MeshError } from './errors.ts'
import { safeParse } from './safe-parse.ts'

/** The endpoint of a job that draws one picture. */
export const PICTURES_ENDPOINT = '/v1/images/generations'

/** Pixels of a side. */
export const PICTURE_SIDE_MAX = 4096

/** Steps of one picture: as many as models were trained with. */
export const PICTURE_STEPS_MAX = 1000

/** Chunks of one prompt: 1,200 tokens, of encoders that read 75 at once. */
export const PROMPT_CHUNKS_MAX = 16

/** Pictures that one picture shows on its way. */
export const PICTURE_PREVIEWS_MAX = 8

/** Pictures of one request. */
export const PICTURES_MAX = 1024

export const PICTURE_GUIDANCE_MAX = 100

/** Values of one picture's latents; those of 2 MP have 131,072 in published models. */
export const LATENT_VALUES_MAX = 262_144

/** Schedulers that look back one step, and keep what they saw then. */
const LOOKING_BACK: ReadonlySet<PictureScheduler> = new Set(['dpmpp_2m', 'dpmpp_2m_karras', 'edm'])

/** What any scheduler keeps of the steps before. */
const CARRIED_MAX = 1

/** Of a job's settings: most are tokens. */
const HEAD_BYTES_MAX = 1024 * 1024

/** Of what a node tells and answers: a few numbers. */
const EVENT_HEAD_BYTES_MAX = 512

const ENCODERS_MAX = 2
const CHUNK_TOKENS_MAX = 1024

const SEED_MAX = 2n ** 64n - 1n

const token = z.int().nonnegative().max(4_294_967_295)

/** For each text encoder of the model, in its order: chunks of token ids, framed and filled up. */
export const promptTokensSchema = z
  .array(z.array(z.array(token).min(1).max(CHUNK_TOKENS_MAX)).min(1).max(PROMPT_CHUNKS_MAX))
  .min(1)
  .max(ENCODERS_MAX)
  .refine(encoders => encoders.every(chunks => chunks.length === encoders[0]?.length), {
    message: 'all encoders get as many chunks'
  })
export type PromptTokens = z.infer<typeof promptTokensSchema>

const side = z.int().min(1).max(PICTURE_SIDE_MAX)
const step = z.int().min(1).max(PICTURE_STEPS_MAX)

/** Settings of one picture, all of them decided. */
export const pictureSettingsSchema = z
  .object({
    prompt: promptTokensSchema,
    /** What the picture should not be like, in as many chunks; the empty prompt where nothing is said. */
    negative: promptTokensSchema,
    width: side,
    height: side,
    /** Steps from noise alone; a picture that begins with another has fewer ({@link firstStep}). */
    steps: step,
    scheduler: z.enum(pictureSchedulers),
    /** How far a step goes from what is negative to what is asked for. Up to 1 only the prompt counts, which halves the work. */
    guidance: z.number().min(0).max(PICTURE_GUIDANCE_MAX),
    /** How far the contrast that guidance adds is taken back (Lin et al., arXiv:2305.08891, section 3.4). */
    guidanceRescale: z.number().min(0).max(1),
    /** Of all noise: an unsigned number of 64 bits, in decimal. */
    seed: z
      .string()
      .regex(/^\d{1,20}$/)
      .refine(seed => BigInt(seed) <= SEED_MAX, 'a seed has 64 bits'),
    /** Steps behind which the picture is shown as it is by then. */
    previews: z.array(step).max(PICTURE_PREVIEWS_MAX)
  })
  .refine(({ prompt, negative }) => prompt[0]?.length === negative[0]?.length, {
    message: 'there are as many chunks as of the prompt',
    path: ['negative']
  })
  .refine(({ width, height }) => width * height <= PICTURE_PIXELS_MAX, {
    message: `a picture has at most ${PICTURE_PIXELS_MAX} pixels`,
    path: ['width']
  })
export type PictureSettings = z.infer<typeof pictureSettingsSchema>

/** A picture that another begins with. */
export interface PictureStart {
  /** From 0 to 1: how much of it is drawn anew. */
  readonly strength: number
  /** u8 `[height, width, 3]`: red, green and blue, of the size that is asked for. */
  readonly rgb: Uint8Array
  /** u8 `[height, width]`: what is 128 or more is drawn anew, the rest stays. Absent: all is drawn anew. */
  readonly mask?: Uint8Array | undefined
}

/** A picture behind a finished step: what the next one needs, on any node. */
export interface PictureState {
  /** Steps that are done, those that are left out of a picture that begins with another included. */
  readonly step: number
  /** f32 `[channels, height, width]`. */
  readonly latents: Float32Array
  /** What the scheduler keeps of the steps before, the last one first: as many values each. */
  readonly carried: readonly Float32Array[]
}

/** What a coordinator sends: one picture. */
export interface PictureJob extends PictureSettings {
  /** Of the picture in its request: each has noise of its own. */
  readonly picture: number
  readonly start?: PictureStart | undefined
  /** Goes on from here. Absent: it begins. */
  readonly from?: PictureState | undefined
}

const carried = z.int().nonnegative().max(CARRIED_MAX)

const jobHeadSchema = pictureSettingsSchema.safeExtend({
  picture: z.int().nonnegative().max(PICTURES_MAX),
  start: z.object({ strength: z.number().positive().max(1), masked: z.boolean() }).optional(),
  from: z.object({ step, carried }).optional()
})

/** What a node tells of a picture on its way. */
export type PictureEvent =
  | {
      readonly type: 'step'
      /** Steps that are done: one more with each of these events. */
      readonly step: number
      /** Of steps that follow each other fast, some come without. */
      readonly state?: PictureState
    }
  | {
      readonly type: 'preview'
      /** Steps that are done. */
      readonly step: number
      /** u8 `[height, width, 3]`. */
      readonly rgb: Uint8Array
    }
  | {
      /** In place of a preview, from a node without a decoder. */
      readonly type: 'clean'
      readonly step: number
      /** f32 `[channels, height, width]`: latents without noise, as far as it can be told now. */
      readonly clean: Float32Array
    }

const eventHeadSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('step'), step, carried: carried.optional() }),
  z.object({ type: z.literal('preview'), step }),
  z.object({ type: z.literal('clean'), step })
])

/** Bytes of the largest event that a picture of `pixels` and latents of `values` has. */
export function pictureEventBytesMax(pixels: number, values: number): number {
  return Math.max(3 * pixels, (1 + CARRIED_MAX) * values * Float32Array.BYTES_PER_ELEMENT) + 1024
}

/** What {@link firstStep} reads of a job. */
export interface StepsAsked {
  readonly steps: number
  readonly start?: Pick<PictureStart, 'strength'> | undefined
}

/** How many values for each of the latents a scheduler keeps of the steps before. */
export function carriedCount(scheduler: PictureScheduler): number {
  return LOOKING_BACK.has(scheduler) ? CARRIED_MAX : 0
}

/** Steps that are left out: of a picture that begins with another, those in which it would be noise. Of a low strength, all. */
export function firstStep({ steps, start }: StepsAsked): number {
  return start === undefined ? 0 : steps - Math.floor(steps * start.strength)
}

/** A job as its body carries it. */
export function writePictureJob({ start, from, ...settings }: PictureJob): Uint8Array<ArrayBuffer> {
  const head = {
    ...settings,
    ...(start && { start: { strength: start.strength, masked: start.mask !== undefined } }),
    ...(from && { from: { step: from.step, carried: from.carried.length } })
  }
  const pictures = start === undefined ? [] : [start.rgb, ...(start.mask === undefined ? [] : [start.mask])]
  return writeBytesMessage({ head, blocks: [...pictures, ...(from === undefined ? [] : stateBlocks(from))] })
}

/** Reads the body of a job. @throws MeshError `protocol_violation` saying what is wrong with it */
export function readPictureJob(body: Uint8Array): PictureJob {
  const message = readBytesMessage(body, HEAD_BYTES_MAX)
  if (message === undefined) throw wrongBody('it is no JSON with bytes behind it')
  const { data, error } = safeParse(jobHeadSchema, message.head)
  if (error !== undefined) {
    const [issue] = error.issues
    throw wrongBody(`at ${issue?.path.join('.')}: ${issue?.message}`)
  }
  const { start, from, ...settings } = data
  if (firstStep(data) === data.steps) throw wrongBody('at start.strength: it leaves no step to make')
  if (from !== undefined && from.carried !== carriedCount(data.scheduler)) throw wrongBody('at from.carried')
  const pixels = settings.width * settings.height
  const blocks = [...message.blocks]
  const rgb = start && takeBlock(blocks, 3 * pixels, 'start.rgb')
  const mask = start?.masked === true ? takeBlock(blocks, pixels, 'start.mask') : undefined
  const state = from && readState(blocks, from.step, from.carried)
  if (from !== undefined && state === undefined) throw wrongBody('at from: no state is there')
  if (blocks.length > (from === undefined ? 0 : 1 + from.carried)) throw wrongBody('it has more than it says')
  if (from !== undefined && (from.step <= firstStep(data) || from.step > data.steps)) {
    throw wrongBody(`at from.step: ${from.step}, and steps from ${firstStep(data)} to ${data.steps} are made`)
  }
  return {
    ...settings,
    ...(start && rgb && { start: { strength: start.strength, rgb, mask } }),
    ...(state && { from: state })
  }
}

export function writePictureEvent(event: PictureEvent): Uint8Array<ArrayBuffer> {
  const { type, step } = event
  if (type === 'preview') return writeBytesMessage({ head: { type, step }, blocks: [event.rgb] })
  if (type === 'clean') return writeBytesMessage({ head: { type, step }, blocks: [toFloatBlock(event.clean)] })
  const { state } = event
  if (state === undefined) return writeBytesMessage({ head: { type, step }, blocks: [] })
  return writeBytesMessage({ head: { type, step, carried: state.carried.length }, blocks: stateBlocks(state) })
}

/** What a picture is in pixels, and what its states are. */
export interface PictureSizes {
  readonly width: number
  readonly height: number
  readonly latentValues: number
  /** {@link carriedCount} of its scheduler. */
  readonly carried: number
}

/** What a node told. @returns undefined where it is no event of a picture of these sizes, with all numbers finite */
export function readPictureEvent(bytes: Uint8Array, sizes: PictureSizes): PictureEvent | undefined {
  const message = readBytesMessage(bytes, EVENT_HEAD_BYTES_MAX)
  const head = message && safeParse(eventHeadSchema, message.head).data
  if (message === undefined || head === undefined) return undefined
  const { blocks } = message
  if (head.type === 'preview') {
    const [rgb, ...others] = blocks
    const whole = rgb?.length === 3 * sizes.width * sizes.height && others.length === 0
    return whole ? { ...head, rgb } : undefined
  }
  if (head.type === 'clean') {
    const clean = blocks.length === 1 ? fromFloatBlock(blocks[0], sizes.latentValues) : undefined
    return clean && { ...head, clean }
  }
  const { type, step, carried } = head
  if (carried === undefined) return blocks.length === 0 ? { type, step } : undefined
  const whole = carried === sizes.carried && blocks.length === 1 + carried
  const state = whole ? readState(blocks, step, carried, sizes.latentValues) : undefined
  return state && { type, step, state }
}

type Extent = Pick<PictureSizes, 'width' | 'height'>

/** What a node answers. @param rgb u8 `[height, width, 3]` */
export function writePictureResult(rgb: Uint8Array, { width, height }: Extent): Uint8Array<ArrayBuffer> {
  return writeBytesMessage({ head: { width, height }, blocks: [rgb] })
}

const resultHeadSchema = z.object({ width: side, height: side })

/** The picture that a node answered with, u8 `[height, width, 3]`. @returns undefined where it is none of this size */
export function readPictureResult(result: Uint8Array, sizes: Extent): Uint8Array | undefined {
  const message = readBytesMessage(result, EVENT_HEAD_BYTES_MAX)
  const head = message && safeParse(resultHeadSchema, message.head).data
  if (head?.width !== sizes.width || head.height !== sizes.height) return undefined
  const [rgb, ...others] = message?.blocks ?? []
  return rgb?.length === 3 * sizes.width * sizes.height && others.length === 0 ? rgb : undefined
}

function stateBlocks({ latents, carried }: PictureState): Uint8Array[] {
  return [latents, ...carried].map(toFloatBlock)
}

/** @param values of the latents; absent: as many as there are, within the limit */
function readState(
  blocks: readonly Uint8Array[],
  step: number,
  count: number,
  values = (blocks[0]?.length ?? 0) / Float32Array.BYTES_PER_ELEMENT
): PictureState | undefined {
  if (!Number.isInteger(values) || values === 0 || values > LATENT_VALUES_MAX) return undefined
  const [latents, ...others] = Array.from({ length: 1 + count }, (_, index) => fromFloatBlock(blocks[index], values))
  const carried = others.filter(one => one !== undefined)
  return latents === undefined || carried.length < count ? undefined : { step, latents, carried }
}

/** @throws MeshError `protocol_violation` where the first of `blocks` is none of so many bytes */
function takeBlock(blocks: Uint8Array[], length: number, what: string): Uint8Array {
  const block = blocks.shift()
  // a copy: the bytes belong to the stream
  if (block?.length === length) return block.slice()
  throw wrongBody(`at ${what}: ${block?.length ?? 0} bytes came, not ${length}`)
}

function wrongBody(what: string): MeshError {
  return new MeshError('protocol_violation', `the body of the job is wrong: ${what}`)
}
