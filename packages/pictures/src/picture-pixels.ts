import type { Pixels } from '@resultity/interface'
import type { Picture } from './picture.ts'

const COLOURS = 3

/** Bytes as a model's coder takes them: planes, from -1 to 1. */
export function toPixels({ width, height, rgb }: Picture): Pixels {
  const plane = width * height
  const values = new Float32Array(COLOURS * plane)
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let colour = 0; colour < COLOURS; colour++) {
      values[colour * plane + pixel] = (rgb[COLOURS * pixel + colour] ?? 0) / 127.5 - 1
    }
  }
  return { width, height, values }
}

/** What a model's coder gives as bytes: cut off at -1 and 1, and rounded to the nearest, of two the even one. */
export function fromPixels({ width, height, values }: Pixels): Picture {
  const plane = width * height
  const rgb = new Uint8ClampedArray(COLOURS * plane)
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let colour = 0; colour < COLOURS; colour++) {
      // clamped arrays round as IEEE 754 does
      rgb[COLOURS * pixel + colour] = ((values[colour * plane + pixel] ?? 0) / 2 + 0.5) * 255
    }
  }
  return { width, height, rgb: new Uint8Array(rgb.buffer) }
}
