import {
  allFinite,
  type DiffusionConfig,
  firstStep,
  invalidRequest,
  PICTURE_GUIDANCE_MAX,
  PICTURE_SIDE_MAX,
  type PictureScheduler,
  type Pixels,
  sideStep
} from '@resultity/interface'

/** A prompt as the text encoders read it: for each of them, chunks of token ids. */
export type PromptTokens = readonly (readonly Uint32Array[])[]

/** A picture that another is made from. */
export interface SourcePicture {
  /** In the size of the picture that is drawn. */
  readonly pixels: Pixels
  /** How much of it is lost, above 0 and up to 1: this share of the steps is made. */
  readonly strength: number
  /** f32 `[height, width]` in pixels: from 0.5 on the picture is drawn anew, elsewhere it stays. Default: anew everywhere. */
  readonly mask?: Float32Array
}

/** One picture to draw. */
export interface PictureRequest {
  readonly prompt: PromptTokens
  /** What the picture should not be like; the empty prompt where a request names nothing. As many chunks as `prompt`. */
  readonly negative: PromptTokens
  /** In pixels, a multiple of what one latent covers. */
  readonly width: number
  readonly height: number
  readonly steps: number
  /** Default: the model's own. */
  readonly scheduler?: PictureScheduler
  /** How far the picture is driven to the prompt. Up to 1 there is no guidance, and each step is one run. */
  readonly guidanceScale: number
  /** From 0 (the default) to 1; see {@link guided}. */
  readonly guidanceRescale?: number
  /** Noise that DDIM adds on the way, from 0 (the default) to 1. */
  readonly eta?: number
  /** At least 0, less than 2⁶⁴. */
  readonly seed: bigint
  /** Which of the pictures of one request this is, from 0. */
  readonly picture: number
  readonly source?: SourcePicture
}

/** @throws MeshError `invalid_request`, naming the field */
export function checkPictureRequest(config: DiffusionConfig, request: PictureRequest): void {
  const scale = sideStep(config)
  for (const side of ['width', 'height'] as const) {
    const pixels = request[side]
    if (Number.isInteger(pixels) && pixels >= scale && pixels <= PICTURE_SIDE_MAX && pixels % scale === 0) continue
    const sides = `this model draws multiples of ${scale} up to ${PICTURE_SIDE_MAX}`
    throw invalidRequest('size', `a ${side} of ${pixels} pixels; ${sides}`, 'Send another size.')
  }
  checkNumber('guidance_scale', request.guidanceScale, 0, PICTURE_GUIDANCE_MAX)
  checkNumber('guidance_rescale', request.guidanceRescale ?? 0, 0, 1)
  checkNumber('eta', request.eta ?? 0, 0, 1)
  if (request.seed < 0n || request.seed >= 2n ** 64n) throw invalidRequest('seed', `${request.seed} is not below 2^64`)
  if (!Number.isInteger(request.picture) || request.picture < 0 || request.picture >= 2 ** 32) {
    throw invalidRequest('n', `there is no picture ${request.picture}`)
  }
  checkPrompt(config, 'prompt', request.prompt)
  checkPrompt(config, 'negative_prompt', request.negative)
  if (chunksOf(request.prompt) !== chunksOf(request.negative)) {
    const counts = `${chunksOf(request.prompt)} and ${chunksOf(request.negative)} chunks`
    throw invalidRequest('negative_prompt', `prompt and negative prompt have ${counts}, not as many`)
  }
  if (config.prior !== undefined && chunksOf(request.prompt) > 1) {
    throw invalidRequest('prompt', `the prior of this model reads one chunk, and ${chunksOf(request.prompt)} came`)
  }
  if (request.source !== undefined) checkSource(request, request.source)
}

/** Each encoder gets as many chunks, of its own length; what is in them is for the model to check. */
function checkPrompt({ textEncoders }: DiffusionConfig, param: string, prompt: PromptTokens): void {
  if (prompt.length !== textEncoders.length) {
    throw invalidRequest(param, `tokens for ${prompt.length} text encoders, and the model has ${textEncoders.length}`)
  }
  const chunks = chunksOf(prompt)
  for (const [index, { length }] of textEncoders.entries()) {
    const own = prompt[index] ?? []
    if (own.length === 0 || own.length !== chunks || own.some(chunk => chunk.length !== length)) {
      throw invalidRequest(param, `text encoder ${index + 1} needs ${chunks} chunks of ${length} tokens`)
    }
  }
}

function chunksOf(prompt: PromptTokens): number {
  return prompt[0]?.length ?? 0
}

function checkSource({ width, height, steps }: PictureRequest, { pixels, strength, mask }: SourcePicture): void {
  const count = width * height
  if (pixels.width !== width || pixels.height !== height || pixels.values.length !== 3 * count) {
    const size = `${pixels.width}x${pixels.height}`
    throw invalidRequest(
      'image',
      `a picture of ${size} with ${pixels.values.length} values, and ${width}x${height} is drawn`
    )
  }
  if (!allFinite(pixels.values)) throw invalidRequest('image', 'the picture has values that are no numbers')
  if (!(strength > 0 && strength <= 1)) {
    throw invalidRequest('strength', `${strength}; it is above 0 and up to 1`, 'Send another strength.')
  }
  if (firstStep({ steps, start: { strength } }) === steps) {
    const none = `a strength of ${strength} leaves none of ${steps} steps`
    throw invalidRequest('strength', none, 'Send a greater strength, or more steps.')
  }
  if (mask === undefined) return
  if (mask.length !== count)
    throw invalidRequest('mask', `a mask of ${mask.length} pixels, and the picture has ${count}`)
  if (!allFinite(mask)) throw invalidRequest('mask', 'the mask has values that are no numbers')
}

function checkNumber(param: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return
  throw invalidRequest(param, `${value}; it is from ${least} to ${most}`, `Send another ${param}.`)
}
