import type { Picture } from './picture.ts'

const COLOURS = 3

/** Bits of a weight behind the point. */
const WEIGHT_BITS = 22

/** From here on a picture of 16 million pixels would have over 50 MB on its way to a few hundred columns. */
const TALL = 100

type Size = Pick<Picture, 'width' | 'height'>

/**
 * A picture of another size, by cubic convolution (Keys, IEEE TASSP 29(6), 1981) over as many pixels as one of the new covers:
 * columns first, then rows, each rounded to bytes. In the arithmetic of Pillow's `BICUBIC`, bit for bit: models were trained on
 * pictures of its making, and other libraries shrink by whole numbers first. Of pictures that are over {@link TALL} times as
 * tall as wide rows come first: their columns would be made for every old row. (Since Pillow 12 rows come first for more
 * pictures, which makes a difference of a few in 255.)
 *
 * It takes time with the pixels, 0.4 s for 16 million: a thread's work.
 */
export function resizeBicubic(picture: Picture, size: Size): Picture {
  return resized(picture, size, BICUBIC)
}

/** As {@link resizeBicubic}, by a windowed sinc (Duchon, J. Appl. Meteor. 18, 1979): Pillow's `LANCZOS`. */
export function resizeLanczos(picture: Picture, size: Size): Picture {
  return resized(picture, size, LANCZOS)
}

/** How much of a pixel another is made of, by their distance. */
interface Kernel {
  /** Pixels on either side that a pixel is made of, where it is no smaller than they are. */
  readonly reach: number
  at(distance: number): number
}

const BICUBIC: Kernel = { reach: 2, at: cubic }
const LANCZOS: Kernel = { reach: 3, at: x => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) }

function resized(picture: Picture, { width, height }: Size, kernel: Kernel): Picture {
  if (picture.height > TALL * picture.width) return withWidth(withHeight(picture, height, kernel), width, kernel)
  return withHeight(withWidth(picture, width, kernel), height, kernel)
}

/** What one new pixel is made of. */
interface Mix {
  /** Its place in the row. */
  readonly to: number
  /** The first of the old ones. */
  readonly first: number
  /** Of each of them. */
  readonly weights: Int32Array
}

function withWidth(picture: Picture, width: number, kernel: Kernel): Picture {
  const { width: from, height, rgb } = picture
  if (width === from) return picture
  const made = new Uint8Array(COLOURS * width * height)
  for (const { to: x, first, weights } of mixes(from, width, kernel)) {
    for (let y = 0; y < height; y++) {
      const source = COLOURS * (y * from + first)
      mix(rgb, { at: source, step: COLOURS, weights }, made, COLOURS * (y * width + x))
    }
  }
  return { width, height, rgb: made }
}

function withHeight(picture: Picture, height: number, kernel: Kernel): Picture {
  const { width, height: from, rgb } = picture
  if (height === from) return picture
  const made = new Uint8Array(COLOURS * width * height)
  for (const { to: y, first, weights } of mixes(from, height, kernel)) {
    for (let x = 0; x < width; x++) {
      const source = COLOURS * (first * width + x)
      mix(rgb, { at: source, step: COLOURS * width, weights }, made, COLOURS * (y * width + x))
    }
  }
  return { width, height, rgb: made }
}

interface Taken {
  readonly at: number
  /** Bytes from one pixel to the next. */
  readonly step: number
  readonly weights: Int32Array
}

/** One pixel of others, its three colours. */
function mix(rgb: Uint8Array, { at, step, weights }: Taken, made: Uint8Array, to: number): void {
  const half = 2 ** (WEIGHT_BITS - 1)
  let [red, green, blue] = [half, half, half]
  for (let index = 0; index < weights.length; index++) {
    const weight = weights[index] ?? 0
    const pixel = at + index * step
    red += (rgb[pixel] ?? 0) * weight
    green += (rgb[pixel + 1] ?? 0) * weight
    blue += (rgb[pixel + 2] ?? 0) * weight
  }
  made[to] = toByte(red)
  made[to + 1] = toByte(green)
  made[to + 2] = toByte(blue)
}

/** All sums are below 2³¹: weights overshoot 1 by a third at most. */
function toByte(sum: number): number {
  return Math.max(0, Math.min(sum >> WEIGHT_BITS, 255))
}

/** For each of `count` pixels in a row, one at a time: of a row of millions, one has a hundred thousand weights. */
function* mixes(from: number, count: number, kernel: Kernel): Generator<Mix> {
  const scale = from / count
  const spread = Math.max(1, scale)
  const reach = kernel.reach * spread
  for (let to = 0; to < count; to++) {
    const centre = (to + 0.5) * scale
    const first = Math.max(0, Math.trunc(centre - reach + 0.5))
    const end = Math.min(from, Math.trunc(centre + reach + 0.5))
    // divided as the reference divides: another order of the same gives other last bits
    const part = (at: number): number => kernel.at((at + first - centre + 0.5) * (1 / spread))
    const weights = new Int32Array(end - first)
    let sum = 0
    for (let at = 0; at < weights.length; at++) sum += part(at)
    for (let at = 0; at < weights.length; at++) weights[at] = wholeWeight(part(at) / sum)
    yield { to, first, weights }
  }
}

function wholeWeight(weight: number): number {
  return Math.trunc(weight * 2 ** WEIGHT_BITS + (weight < 0 ? -0.5 : 0.5))
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI)
}

const SHARPNESS = -0.5

function cubic(distance: number): number {
  const x = Math.abs(distance)
  if (x < 1) return ((SHARPNESS + 2) * x - (SHARPNESS + 3)) * x * x + 1
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * SHARPNESS : 0
}
