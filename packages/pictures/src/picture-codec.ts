import { type AbortOptions, Turns } from '@resultity/interface'
import type { Metadata, Sharp } from 'sharp'
import { loadLibrary } from './library.ts'
import type { Picture, PictureFit, PictureHead } from './picture.ts'
import { isAnimatedPng, sniffPicture } from './picture-format.ts'
import { type PictureFault, pictureInvalid } from './picture-invalid.ts'
import { DEFAULT_PICTURE_LIMITS, type PictureLimits } from './picture-limits.ts'
import { toAsciiJson, withPngText } from './picture-text.ts'

export interface PictureCodecInit {
  readonly limits?: Partial<PictureLimits>
  /** Pictures that are read or written at once. Default {@link DEFAULT_AT_ONCE}. */
  readonly atOnce?: number
}

/** Half of the threads that Node has for such work: files are read and names looked up on the others. */
export const DEFAULT_AT_ONCE = 2

/** What is made of a file that is only checked. */
const CHECKED: PictureFit = { width: 1, height: 1, how: 'stretch' }

/** Of one picture: 16 megapixels take less than one on a slow machine. */
const SECONDS_MAX = 30

/** Files in which a picture is written. */
export const writtenFormats = ['png', 'jpeg', 'webp'] as const
export type WrittenFormat = (typeof writtenFormats)[number]

export const pictureMediaTypes: Readonly<Record<WrittenFormat, string>> = {
  png: 'image/png',
  jpeg: 'image/jpeg',
  webp: 'image/webp'
}

export interface ReadOptions extends AbortOptions {
  /** The field that the file came in, for errors. */
  readonly param: string
}

export interface DecodeOptions extends ReadOptions {
  /** Default: its own size. */
  readonly fit?: PictureFit
}

export interface WriteOptions extends AbortOptions {
  readonly format: WrittenFormat
  /** Of JPEG and WebP, from 0 to 100; default 100. */
  readonly quality?: number
  /** JSON that tells how it was made: in PNG as `iTXt` chunk "resultity", else as EXIF's `ImageDescription`. */
  readonly text?: string
}

/** What a mask's file is measured and cut by. */
export interface MaskOptions extends ReadOptions {
  /** The picture that it belongs to, and as that is read. */
  readonly of: Pick<PictureHead, 'width' | 'height'>
  readonly fit: PictureFit
}

/**
 * Reads and writes pictures, off the event loop and so many at once; the others wait. Bytes are judged by their head before
 * anything of them is decoded.
 */
export class PictureCodec {
  readonly limits: PictureLimits
  readonly #turns: Turns

  constructor({ limits, atOnce = DEFAULT_AT_ONCE }: PictureCodecInit = {}) {
    this.limits = { ...DEFAULT_PICTURE_LIMITS, ...limits }
    this.#turns = new Turns(atOnce)
  }

  /**
   * What a file says of itself.
   *
   * @throws MeshError `invalid_request` with a fault (`PictureFault`); the signal's reason
   */
  async head(bytes: Uint8Array, { param, signal }: ReadOptions): Promise<PictureHead> {
    const { bytesMax, pixelsMax } = this.limits
    if (bytes.length > bytesMax) {
      throw pictureInvalid(
        param,
        'too_large',
        `${param} has ${bytes.length} bytes, and pictures have at most ${bytesMax}`
      )
    }
    const format = sniffPicture(bytes, param)
    const file = await openPicture(bytes, Number.MAX_SAFE_INTEGER)
    const metadata = await this.#turns
      .run(async () => await file.metadata(), options(signal))
      .catch((error: unknown) => {
        signal?.throwIfAborted()
        throw unreadable(param, error)
      })
    const { width, height } = metadata.autoOrient
    if (width * height > pixelsMax) {
      const message = `${param} has ${width} \u00d7 ${height} pixels, and pictures have at most ${pixelsMax}`
      throw pictureInvalid(param, 'too_many_pixels', message)
    }
    if (isAnimated(bytes, metadata)) {
      throw pictureInvalid(param, 'animated', `${param} is a moving picture, and one picture is taken`)
    }
    return { format, width, height, hasAlpha: metadata.hasAlpha }
  }

  /**
   * Decodes a file to its end, and keeps nothing of it.
   *
   * @throws MeshError as {@link decode} does
   */
  async check(bytes: Uint8Array, { param, signal }: ReadOptions): Promise<PictureHead> {
    const head = await this.head(bytes, { param, ...options(signal) })
    // every pixel has a part in these
    await this.#raw(fitted(await openPicture(bytes, this.limits.pixelsMax), CHECKED), param, signal)
    return head
  }

  /**
   * Decodes a file, turned as its EXIF says, to sRGB of 8 bits. What is transparent becomes white.
   *
   * @throws MeshError `invalid_request` with a fault (`PictureFault`); the signal's reason
   */
  async decode(bytes: Uint8Array, { param, fit, signal }: DecodeOptions): Promise<Picture> {
    await this.head(bytes, { param, ...options(signal) })
    const file = await openPicture(bytes, this.limits.pixelsMax)
    const image = fitted(file.autoOrient().flatten({ background: '#ffffff' }), fit)
    const { data, info } = await this.#raw(image.toColourspace('srgb'), param, signal)
    return { width: info.width, height: info.height, rgb: data }
  }

  /**
   * Reads where to paint: what is wholly transparent.
   *
   * @returns u8 `[height, width]` of `fit`: 255 where it is painted, else 0
   * @throws MeshError `invalid_request` with a fault (`PictureFault`), `no_alpha` also where nothing is transparent; the
   * signal's reason
   */
  async decodeMask(bytes: Uint8Array, { param, of, fit, signal }: MaskOptions): Promise<Uint8Array> {
    const { width, height, hasAlpha } = await this.head(bytes, { param, ...options(signal) })
    if (width !== of.width || height !== of.height) {
      const message = `${param} has ${width} \u00d7 ${height} pixels, and its picture ${of.width} \u00d7 ${of.height}`
      throw pictureInvalid(param, 'other_size', message)
    }
    if (!hasAlpha) throw pictureInvalid(param, 'no_alpha', `${param} has no alpha channel, which says where to paint`)
    const image = (await openPicture(bytes, this.limits.pixelsMax)).autoOrient()
    // a pixel that is partly transparent stays, so none may be mixed of others
    const alpha = fitted(image, { ...fit, kernel: 'nearest' })
      .toColourspace('srgb')
      .extractChannel('alpha')
    const { data } = await this.#raw(alpha, param, signal)
    const painted = new Uint8Array(data.length)
    for (let at = 0; at < data.length; at++) painted[at] = data[at] === 0 ? 255 : 0
    if (!painted.includes(255)) {
      throw pictureInvalid(param, 'no_alpha', `${param} has no pixel that is transparent, so nothing would be painted`)
    }
    return painted
  }

  /** A file of a picture. @throws MeshError `internal` for sizes that no file has; the signal's reason */
  async encode(
    { width, height, rgb }: Picture,
    { format, quality = 100, text, signal }: WriteOptions
  ): Promise<Uint8Array> {
    const library = await loadLibrary()
    const image = library(rgb, { raw: { width, height, channels: 3 } }).timeout({ seconds: SECONDS_MAX })
    const described =
      text === undefined || format === 'png' ? image : image.withExif({ IFD0: { ImageDescription: toAsciiJson(text) } })
    const file = await this.#turns.run(
      async () => await written(described, format, quality).toBuffer(),
      options(signal)
    )
    signal?.throwIfAborted()
    return text !== undefined && format === 'png' ? withPngText(file, text) : file
  }

  async #raw(image: Sharp, param: string, signal: AbortSignal | undefined) {
    const read = async () => await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
    const decoded = await this.#turns.run(read, options(signal)).catch((error: unknown) => {
      signal?.throwIfAborted()
      throw unreadable(param, error)
    })
    signal?.throwIfAborted()
    return decoded
  }
}

function options(signal: AbortSignal | undefined): AbortOptions {
  return signal === undefined ? {} : { signal }
}

async function openPicture(bytes: Uint8Array, pixelsMax: number): Promise<Sharp> {
  const library = await loadLibrary()
  // libraries give what they have of a file that ends too soon unless they are told not to
  const image = library(bytes, { failOn: 'error', limitInputPixels: pixelsMax, sequentialRead: true })
  return image.timeout({ seconds: SECONDS_MAX })
}

function fitted(image: Sharp, fit: PictureFit | undefined): Sharp {
  if (fit === undefined) return image
  const { width, height, how, kernel = 'lanczos3' } = fit
  const named = how === 'cover' ? 'cover' : 'fill'
  // a JPEG that is read at a fraction of its size has other pixels
  return image.resize({ width, height, fit: named, kernel, fastShrinkOnLoad: false })
}

function isAnimated(bytes: Uint8Array, { format, pages = 1 }: Metadata): boolean {
  return pages > 1 || (format === 'png' && isAnimatedPng(bytes))
}

/** Chroma at full resolution where quality is asked for above all. */
const FULL_CHROMA_QUALITY = 90

function written(image: Sharp, format: WrittenFormat, quality: number): Sharp {
  // zero is the least quality that encoders know, and they call it 1
  const atLeast = Math.max(1, quality)
  switch (format) {
    case 'png':
      return image.png({ compressionLevel: 6 })
    case 'jpeg':
      return image.jpeg({ quality: atLeast, chromaSubsampling: quality >= FULL_CHROMA_QUALITY ? '4:4:4' : '4:2:0' })
    case 'webp':
      return image.webp({ quality: atLeast })
  }
}

/** The library's words for what ends too soon. */
const TRUNCATED =
  /premature end|unexpected end|truncated|not enough|too short|unable to parse|read error|end of (?:file|stream|data)/i

/** The library's complaint, in our terms: its own words are for the log. */
function unreadable(param: string, error: unknown) {
  const message = error instanceof Error ? error.message : String(error)
  const fault: PictureFault = /timeout/i.test(message)
    ? 'too_costly'
    : TRUNCATED.test(message)
      ? 'truncated'
      : 'damaged'
  const what: Partial<Record<PictureFault, string>> = {
    too_costly: `took longer than ${SECONDS_MAX} s to read`,
    truncated: 'ends too soon, or its parts do not fit together',
    damaged: 'cannot be decoded: its parts contradict each other'
  }
  return pictureInvalid(param, fault, `${param} ${what[fault]}`, error)
}
