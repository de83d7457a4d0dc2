import {
  allFinite,
  type DiffusionConfig,
  type DiffusionModel,
  type Latents,
  latentScale,
  MeshError,
  type Pixels,
  type WorkOptions
} from '@resultity/interface'
import { exponential } from './exact-math.ts'

/** From this value on a mask's pixel is drawn anew. */
const ANEW = 0.5

/** Bounds of a log variance, as diffusers has them: `e` to more is no use. */
const LOG_VARIANCE_MIN = -30
const LOG_VARIANCE_MAX = 20

/**
 * A picture as the sampler's latents: one of those that its encoder finds likely, as `noise` says.
 *
 * @throws MeshError `engine_failed` for an encoder that gives no numbers; what {@link DiffusionModel.encode} throws
 */
export async function latentsOf(
  model: Pick<DiffusionModel, 'config' | 'encode'>,
  pixels: Pixels,
  noise: (length: number) => Float32Array,
  options: WorkOptions
): Promise<Float32Array> {
  const { mean, logVariance } = await model.encode(pixels, options)
  const spread = logVariance === undefined || (logVariance.length === mean.values.length && allFinite(logVariance))
  if (!allFinite(mean.values) || !spread) {
    throw new MeshError('engine_failed', "the model's encoder gave no numbers for a picture", {
      hint: 'The weights may be damaged, or too large for the numbers they are computed with.',
      details: { part: 'encoder' }
    })
  }
  if (logVariance === undefined) return scaledLatents(model.config, mean, mean.values)
  const draws = noise(mean.values.length)
  const sampled = mean.values.map((value, index) => {
    const power = Math.min(Math.max(logVariance[index] ?? 0, LOG_VARIANCE_MIN), LOG_VARIANCE_MAX)
    return value + exponential(power / 2) * (draws[index] ?? Number.NaN)
  })
  return scaledLatents(model.config, mean, sampled)
}

/** As the denoiser was trained: less the mean, in a deviation of about 1. */
function scaledLatents({ coder }: DiffusionConfig, { height, width }: Latents, values: Float32Array): Float32Array {
  const { scalingFactor, shift, means, stds } = coder
  const plane = height * width
  return values.map((value, index) => {
    const channel = Math.floor(index / plane)
    return ((value - (means?.[channel] ?? shift)) * scalingFactor) / (stds?.[channel] ?? 1)
  })
}

/** Where latents are drawn anew, 1 or 0: as the pixel in the upper left corner of each says. */
export function latentMask(config: DiffusionConfig, mask: Float32Array, { width, height }: Sides): Float32Array {
  const scale = latentScale(config)
  const columns = width / scale
  return Float32Array.from({ length: columns * (height / scale) }, (_, index) => {
    const y = Math.floor(index / columns) * scale
    const x = (index % columns) * scale
    return (mask[y * width + x] ?? 0) >= ANEW ? 1 : 0
  })
}

interface Sides {
  readonly width: number
  readonly height: number
}

/** A picture with what is drawn anew in middle grey. */
export function withoutMasked(pixels: Pixels, mask: Float32Array): Pixels {
  const plane = pixels.width * pixels.height
  const values = pixels.values.slice()
  // a loop: a call for each of six million values would keep the event loop for some tenths of a second
  for (let at = 0; at < plane; at++) {
    if ((mask[at] ?? 0) < ANEW) continue
    for (let colour = 0; colour < 3; colour++) values[colour * plane + at] = 0
  }
  return { ...pixels, values }
}

/** `latents` where the mask is 1, `kept` elsewhere, in each channel. */
export function blended(latents: Float32Array, kept: Float32Array, mask: Float32Array): Float32Array {
  return latents.map((value, index) => ((mask[index % mask.length] ?? 0) === 1 ? value : (kept[index] ?? Number.NaN)))
}
