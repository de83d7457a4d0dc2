import {
  carriedCount,
  type DiffusionManifest,
  firstStep,
  invalidRequest,
  LATENT_VALUES_MAX,
  latentScale,
  type PictureSettings,
  type PictureSizes,
  picturePixelsMax,
  type StepsAsked
} from '@resultity/interface'

/**
 * What a picture of these settings is in pixels, and what its states are.
 * @throws MeshError `invalid_request` naming the field
 */
export function pictureSizes(
  { name, config }: DiffusionManifest,
  request: Pick<PictureSettings, 'width' | 'height' | 'scheduler'> & StepsAsked
): PictureSizes {
  const { width, height, scheduler, steps } = request
  if (firstStep(request) === steps) {
    throw invalidRequest('strength', `it leaves none of ${steps} steps`, 'Send a greater strength, or more steps.')
  }
  const scale = latentScale(config)
  if (width % scale !== 0 || height % scale !== 0) {
    const sides = `${name} draws multiples of ${scale}`
    throw invalidRequest('size', `${width} × ${height} pixels; ${sides}`, 'Send another size.')
  }
  const pixelsMax = picturePixelsMax(config)
  if (width * height > pixelsMax) {
    const most = `${name} draws up to ${pixelsMax}`
    throw invalidRequest('size', `${width} × ${height} pixels; ${most}`, 'Send a smaller size.')
  }
  const latentValues = config.coder.latentChannels * (width / scale) * (height / scale)
  if (latentValues > LATENT_VALUES_MAX) {
    throw invalidRequest('size', `${latentValues} values of latents, and ${LATENT_VALUES_MAX} are taken`)
  }
  return { width, height, latentValues, carried: carriedCount(scheduler) }
}
