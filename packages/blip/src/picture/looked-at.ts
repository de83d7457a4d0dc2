import { type BlipConfig, lookedAtSize, MeshError } from '@resultity/interface'

/**
 * What a model looks at, of the bytes of a picture of its size: each channel from 0 to 1, less its mean, over its deviation. In
 * the arithmetic of `BlipImageProcessor`, bit for bit: a byte over 255 in f64, and the rest in f32.
 *
 * @param rgb u8 `[imageSize, imageSize, 3]`
 * @returns f32 `[3, imageSize, imageSize]`
 * @throws MeshError `invalid_request` for another number of bytes
 */
export function lookedAt(rgb: Uint8Array, config: Pick<BlipConfig, 'imageSize' | 'mean' | 'deviation'>): Float32Array {
  if (rgb.length !== lookedAtSize(config)) {
    const message = `a picture of ${rgb.length} bytes came, the model looks at ${lookedAtSize(config)}`
    throw new MeshError('invalid_request', message, { details: { param: 'picture' } })
  }
  const plane = config.imageSize ** 2
  const pixels = new Float32Array(3 * plane)
  for (let channel = 0; channel < 3; channel++) {
    const values = valuesOf(config.mean[channel] ?? 0, config.deviation[channel] ?? 1)
    for (let at = 0; at < plane; at++) pixels[channel * plane + at] = values[rgb[3 * at + channel] ?? 0] ?? 0
  }
  return pixels
}

/** Of each byte. */
function valuesOf(mean: number, deviation: number): Float32Array {
  const [less, over] = [Math.fround(mean), Math.fround(deviation)]
  return Float32Array.from({ length: 256 }, (_, byte) => {
    return Math.fround(Math.fround(Math.fround(byte * FACTOR) - less) / over)
  })
}

const FACTOR = 1 / 255
