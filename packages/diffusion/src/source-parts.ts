import {
  type DiffusionModel,
  invalidRequest,
  type PictureState,
  type Pixels,
  takesMask,
  type WorkOptions
} from '@resultity/interface'
import { draws, type NoiseSource } from './noise.ts'
import type { PictureRequest } from './picture-request.ts'
import type { Sampler } from './sampler.ts'
import { blended, latentMask, latentsOf, withoutMasked } from './source-latents.ts'

/** What of another picture the steps of one need. */
export interface SourceParts {
  /** Latents that the picture begins as, with noise; without them it begins as noise alone. */
  readonly begins?: Float32Array
  /** Latents of which those stay where the mask is 0. */
  readonly kept?: { readonly latents: Float32Array; readonly mask: Float32Array }
  /** Mask and masked picture, as a denoiser with channels for them is given them behind the latents. */
  readonly beside?: Float32Array
}

/**
 * Encodes what is needed of the picture that a request comes with.
 *
 * @param resumed whether the picture is begun already
 * @throws MeshError `invalid_request` for a request without a picture where the model fills masks; what encoding throws
 */
export async function prepareSource(
  model: Pick<DiffusionModel, 'config' | 'encode'>,
  request: PictureRequest,
  noise: NoiseSource,
  { resumed, ...options }: WorkOptions & { readonly resumed: boolean }
): Promise<SourceParts> {
  const { config } = model
  const { source } = request
  const fillsMasks = takesMask(config)
  if (source === undefined) {
    if (!fillsMasks) return {}
    throw invalidRequest(
      'image',
      'this model draws into pictures, and the request has none',
      'Send a picture and a mask.'
    )
  }
  const encode = (pixels: Pixels, draw: number): Promise<Float32Array> =>
    latentsOf(model, pixels, length => noise(draw, length), options)
  // a model that fills masks is given one that leaves nothing of the picture, where the request has none
  const mask = source.mask ?? (fillsMasks ? new Float32Array(request.width * request.height).fill(1) : undefined)
  // at full strength what is drawn anew begins as noise alone, and nothing of the picture shines through
  const begins = !resumed && (mask === undefined || source.strength < 1)
  const keeps = mask !== undefined && !fillsMasks
  const latents = begins || keeps ? await encode(source.pixels, draws.source) : undefined
  const parts: SourceParts = begins && latents !== undefined ? { begins: latents } : {}
  if (mask === undefined) return parts
  const small = latentMask(config, mask, request)
  if (latents !== undefined && keeps) return { ...parts, kept: { latents, mask: small } }
  return { ...parts, beside: joined(small, await encode(withoutMasked(source.pixels, mask), draws.masked)) }
}

/** Before the first step. */
export function beginPicture(sampler: Sampler, { begins }: SourceParts, noise: Float32Array): PictureState {
  return begins === undefined ? sampler.begin(noise) : sampler.beginFrom(begins, noise)
}

/** What is not drawn anew is as noisy as the rest, and after the last step as it was. */
export function keepSource(
  sampler: Sampler,
  { kept }: SourceParts,
  state: PictureState,
  noise: Float32Array
): PictureState {
  if (kept === undefined) return state
  const rest = sampler.noised(kept.latents, noise, state.step)
  return { ...state, latents: blended(state.latents, rest, kept.mask) }
}

/** Channels of one behind those of the other. */
export function joined(first: Float32Array, second: Float32Array): Float32Array {
  const all = new Float32Array(first.length + second.length)
  all.set(first)
  all.set(second, first.length)
  return all
}
