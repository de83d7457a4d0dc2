import {
  type DiffusionConfig,
  invalidRequest,
  PICTURE_PIXELS_MAX,
  PICTURE_SIDE_MAX,
  picturePixelsMax,
  sideStep
} from '@resultity/interface'

/** Pixels a side. */
export interface PictureSize {
  readonly width: number
  readonly height: number
}

/** Pixels of all pictures of one request: ten of a megapixel, whose files are held in memory until the last one is done. */
const PIXELS_AT_ONCE_MAX = 12 * 1024 * 1024

/**
 * What is drawn where a request says so, or where it leaves that to the model: a square as it was trained for; of a picture that
 * came with the request its own shape, scaled down to that square's area where it is larger.
 *
 * @throws MeshError `invalid_request` of `size` for one that the model does not draw, or that is too large; of `n` where all
 *   pictures together are
 */
export function sizeOf(
  { size, n }: { readonly size?: string | null | undefined; readonly n: number },
  config: DiffusionConfig,
  source?: PictureSize
): PictureSize {
  const scale = sideStep(config)
  const auto = size === undefined || size === null || size === 'auto'
  const wanted = auto ? autoSize(config, source) : parseSize(size)
  const { width, height } = wanted
  if (width % scale !== 0 || height % scale !== 0) {
    const [near, across] = [width, height].map(side => Math.max(scale, Math.round(side / scale) * scale))
    throw invalidRequest(
      'size',
      `size is ${width}x${height}, and this model draws multiples of ${scale} pixels`,
      `Send ${near}x${across}, or leave it out.`
    )
  }
  const pixelsMax = picturePixelsMax(config)
  if (width * height > pixelsMax || Math.max(width, height) > PICTURE_SIDE_MAX) {
    const most = `${pixelsMax} pixels, and ${PICTURE_SIDE_MAX} a side`
    throw invalidRequest(
      'size',
      `size is ${width}x${height}, and pictures of this model have at most ${most}`,
      'Send a smaller size.'
    )
  }
  if (n * width * height > PIXELS_AT_ONCE_MAX) {
    const most = Math.floor(PIXELS_AT_ONCE_MAX / (width * height))
    throw invalidRequest('n', `${n} pictures of ${width}x${height} are too many at once`, `Send at most ${most}.`)
  }
  return wanted
}

function parseSize(size: string): PictureSize {
  const [width = 0, height = 0] = size.split('x').map(Number)
  return { width, height }
}

function autoSize(config: DiffusionConfig, source: PictureSize | undefined): PictureSize {
  const side = config.pictureSize
  if (source === undefined) return { width: side, height: side }
  const area = Math.min(side * side, PICTURE_PIXELS_MAX)
  const by = Math.min(1, Math.sqrt(area / (source.width * source.height)))
  const scale = sideStep(config)
  // rounded down, so that no limit is passed
  const scaled = (pixels: number): number =>
    Math.min(PICTURE_SIDE_MAX, Math.max(scale, Math.floor((pixels * by) / scale) * scale))
  return { width: scaled(source.width), height: scaled(source.height) }
}

const MEGAPIXEL = 1024 * 1024

/** What limits and usage count in: a square of 1024 pixels in 33 steps is as much as OpenAI counts for one of medium quality. */
const TOKENS_PER_MEGAPIXEL = 32

/** Tokens that `steps` steps of a picture count as. */
export function pictureTokens({ width, height }: PictureSize, steps = 1): number {
  return Math.ceil((TOKENS_PER_MEGAPIXEL * width * height * steps) / MEGAPIXEL)
}
