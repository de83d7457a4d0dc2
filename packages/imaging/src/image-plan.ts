import { checkSteps } from '@resultity/diffusion'
import {
  type DiffusionConfig,
  firstStep,
  invalidRequest,
  type PictureScheduler,
  type PictureSettings,
  takesMask
} from '@resultity/interface'
import type { WrittenFormat } from '@resultity/pictures'
import type { ServedDiffusion } from '@resultity/placement'
import type { ImageRequest, ImageValues } from './image-schema.ts'
import type { PictureRef } from './picture-ref.ts'
import { type PictureSize, pictureTokens, sizeOf } from './picture-size.ts'

/** The picture that a request begins with. */
export interface PlannedStart {
  readonly image: PictureRef
  /** What is transparent in it is painted. */
  readonly mask: PictureRef | undefined
  readonly strength: number
}

/** What is drawn, by what, and how it is written: all of it decided. */
export interface ImagePlan {
  readonly model: ServedDiffusion
  readonly count: number
  readonly settings: PictureSettings
  readonly start: PlannedStart | undefined
  readonly format: WrittenFormat
  /** Of JPEG and WebP. */
  readonly quality: number
  /** Where links to the pictures lead; undefined: the answer has them in it. */
  readonly linkBase: string | undefined
  /** As the answer tells them. */
  readonly values: ImageValues
  readonly usage: {
    readonly text: number
    /** Of the picture that came with the request. */
    readonly image: number
    /** Of one picture. */
    readonly picture: number
  }
}

/** What looking things up adds to a request. */
export interface Completed {
  /** Where the client reached the API; links are made with it. */
  readonly linkBase?: string | undefined
  /** Of the picture that came with it, as it is looked at. */
  readonly picture?: PictureSize | undefined
  /** Whether that picture is its own mask: a part of it is wholly transparent. */
  readonly ownMask?: boolean | undefined
}

/** What a route does that a request does not say. */
export interface ImageTask {
  readonly kind: 'generation' | 'edit' | 'variation'
  /** How much of a picture without a mask is drawn anew. */
  readonly strength: number
}

/** Steps and guidance by the scheduler: as publishers of models recommend them. */
const usual: Partial<Readonly<Record<PictureScheduler, { readonly steps: number; readonly guidance?: number }>>> = {
  ddpm: { steps: 50 },
  lcm: { steps: 4, guidance: 1 },
  edm: { steps: 25, guidance: 3 }
}
const STEPS = 30
const GUIDANCE = 7.5
/** Of models like XL. */
const GUIDANCE_WITH_ADDITION = 5
/** Of models that draw embeddings. */
const GUIDANCE_WITH_PRIOR = 4

const shares: Readonly<Record<string, number>> = { low: 0.5, high: 1.5, hd: 1.5 }

/**
 * Reads a checked request.
 *
 * @throws MeshError `invalid_request` or `context_length_exceeded`, naming the field
 */
export async function toImagePlan(
  request: ImageRequest & { readonly seed: number | string },
  model: ServedDiffusion,
  task: ImageTask,
  completed: Completed
): Promise<ImagePlan> {
  const { config } = model
  const count = request.n ?? 1
  const size = sizeOf({ size: request.size, n: count }, config, completed.picture)
  const scheduler = request.scheduler ?? config.schedule.scheduler
  const steps = stepsOf(request, config, scheduler)
  const start = startOf(request, task, completed)
  if (start === undefined && takesMask(config)) {
    const message = `the model "${model.id}" draws into pictures, and the request has none`
    throw invalidRequest('image', message, 'Send a picture and a mask to /v1/images/edits, or name another model.')
  }
  const first = firstStep({ steps, start })
  if (first === steps) {
    const none = `strength is ${start?.strength}, which leaves none of ${steps} steps`
    throw invalidRequest('strength', none, 'Send a greater strength, or more steps.')
  }
  checkSteps(config.schedule, { scheduler, steps, start: first })
  const texts = { prompt: request.prompt, negative: request.negative_prompt ?? '' }
  const prompts = await model.prompts.encode(texts)
  const settings: PictureSettings = {
    prompt: prompts.prompt,
    negative: prompts.negative,
    ...size,
    steps,
    scheduler,
    guidance: request.guidance_scale ?? guidanceOf(config, scheduler),
    guidanceRescale: request.guidance_rescale ?? 0,
    seed: BigInt.asUintN(64, BigInt(request.seed)).toString(),
    previews: request.stream === true ? previewsOf(request.partial_images ?? 0, { first, steps }) : []
  }
  const form = formOf(request)
  requireLog(settings, count, form.format)
  return {
    model,
    count,
    settings,
    start,
    ...form,
    linkBase: linkBaseOf(request, completed),
    values: valuesOf(model, request.seed, settings, start),
    usage: {
      text: prompts.promptTokens + prompts.negativeTokens,
      image: start === undefined ? 0 : pictureTokens(size),
      picture: pictureTokens(size, steps - first)
    }
  }
}

function stepsOf({ steps, quality }: ImageRequest, { schedule }: DiffusionConfig, scheduler: PictureScheduler): number {
  const share = shares[quality ?? 'auto']
  if (steps !== undefined && steps !== null) {
    if (share !== undefined) {
      throw invalidRequest(
        'quality',
        `quality "${quality}" is a number of steps, and steps is another`,
        'Send one of them.'
      )
    }
    if (steps > schedule.trainSteps) {
      const most = `the model was trained with ${schedule.trainSteps}`
      throw invalidRequest('steps', `${steps} steps, and ${most}`, `Send at most ${schedule.trainSteps}.`)
    }
    return steps
  }
  const asked = Math.max(1, Math.round((usual[scheduler]?.steps ?? STEPS) * (share ?? 1)))
  return Math.min(asked, schedule.trainSteps)
}

function guidanceOf({ denoiser }: DiffusionConfig, scheduler: PictureScheduler): number {
  if (denoiser.embedding !== undefined) return GUIDANCE_WITH_PRIOR
  return usual[scheduler]?.guidance ?? (denoiser.addition === undefined ? GUIDANCE : GUIDANCE_WITH_ADDITION)
}

function startOf(request: ImageRequest, task: ImageTask, { ownMask }: Completed): PlannedStart | undefined {
  const image = imageOf(request)
  if (image === undefined) return undefined
  const mask = request.mask ?? (ownMask === true ? image : undefined)
  return { image, mask, strength: request.strength ?? (mask === undefined ? task.strength : 1) }
}

/**
 * The one picture that a request begins with; undefined where it has none.
 * @throws MeshError `invalid_request` for several
 */
export function imageOf({ image, images }: Pick<ImageRequest, 'image' | 'images'>): PictureRef | undefined {
  const all = [image ?? [], images ?? []].flat()
  if (all.length > 1) {
    const param = image === undefined || image === null ? 'images' : 'image'
    throw invalidRequest(param, `${all.length} pictures came, and a model here edits one`, 'Send one picture.')
  }
  return all[0]
}

/** Steps behind which `count` pictures are shown, evenly: never behind the last, whose picture is the whole one. */
function previewsOf(count: number, { first, steps }: { readonly first: number; readonly steps: number }): number[] {
  const all = Array.from({ length: count }, (_, index) =>
    Math.round(first + ((steps - first) * (index + 1)) / (count + 1))
  )
  return [...new Set(all)].filter(step => step > first && step < steps)
}

function formOf({
  output_format,
  output_compression,
  background
}: ImageRequest): Pick<ImagePlan, 'format' | 'quality'> {
  const format = output_format ?? 'png'
  const quality = output_compression ?? 100
  if (format === 'png' && quality < 100) {
    const message = 'output_compression is for jpeg and webp, and a png is not compressed with loss'
    throw invalidRequest('output_compression', message, 'Leave it out, or ask for another output_format.')
  }
  if (background === 'transparent') {
    const message = 'background "transparent" is not served here: no model draws what is transparent'
    throw invalidRequest('background', message, 'Leave it out, or send "opaque".')
  }
  return { format, quality }
}

function linkBaseOf({ response_format: form, stream }: ImageRequest, { linkBase }: Completed): string | undefined {
  if (form === 'url' && stream === true) {
    const message = 'the events of a stream have pictures in them, and no url'
    throw invalidRequest('response_format', message, 'Leave it out, or send "b64_json".')
  }
  if (form === 'url' && linkBase === undefined) {
    const message = 'there is no address to make a url with: this request is a part of another'
    throw invalidRequest('response_format', message, 'Send "b64_json", or have the operator set --public-url.')
  }
  return form === 'b64_json' || stream === true ? undefined : linkBase
}

function valuesOf(
  { id }: ServedDiffusion,
  seed: number | string,
  { width, height, steps, scheduler, guidance, guidanceRescale }: PictureSettings,
  start: PlannedStart | undefined
): ImageValues {
  return {
    model: id,
    size: `${width}x${height}`,
    seed,
    steps,
    scheduler,
    guidance_scale: guidance,
    guidance_rescale: guidanceRescale,
    ...(start && { strength: start.strength })
  }
}

/** Bytes of a pixel in a file, at the most: as many as it has, and what frames them. */
const FILE_BYTES_PER_PIXEL: Readonly<Record<WrittenFormat, number>> = { png: 3.2, jpeg: 2, webp: 2 }

/** Base64 has four characters for three bytes. */
const BASE64 = 4 / 3

/** Of the pictures on the way, in the log of a request, which has at most 64 MiB with its body. */
const LOGGED_BYTES_MAX = 56 * 1024 * 1024

/** Bytes of a picture's file, at the most. */
export function fileBytes({ width, height }: PictureSize, format: WrittenFormat): number {
  return FILE_BYTES_PER_PIXEL[format] * width * height + 4096
}

function loggedBytes(settings: PictureSettings, count: number, format: WrittenFormat): number {
  return count * settings.previews.length * fileBytes(settings, format) * BASE64
}

function requireLog(settings: PictureSettings, count: number, format: WrittenFormat): void {
  if (loggedBytes(settings, count, format) <= LOGGED_BYTES_MAX) return
  const shown = count * settings.previews.length
  const message = `${shown} pictures of ${settings.width}x${settings.height} on the way are too many for one stream`
  throw invalidRequest('partial_images', message, 'Ask for fewer, for a smaller size, or for jpeg or webp.')
}

/** Bytes of what a plan makes: in the answer or as files, and on the way. */
export function storedBytes({ settings, count, format, linkBase }: ImagePlan): number {
  const inAnswer = fileBytes(settings, format) * (linkBase === undefined ? BASE64 : 1)
  return Math.ceil(count * inAnswer + loggedBytes(settings, count, format))
}
