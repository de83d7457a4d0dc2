import { type AbortOptions, invalidRequest, MeshError, Turns } from '@resultity/interface'
import type { FileService } from '@resultity/jobs'
import {
  DEFAULT_AT_ONCE,
  type Picture,
  type PictureCodec,
  type PictureFit,
  type PictureHead,
  pictureInvalid
} from '@resultity/pictures'
import { bytesOfBase64, type PictureRef, sourceOf } from './picture-ref.ts'

export interface PictureInputComponents {
  readonly fileService: Pick<FileService, 'findInUse' | 'read'>
  readonly pictures: PictureCodec
}

/** Whose picture it is, and what it is called in the request. */
export interface PicturePlace extends AbortOptions {
  readonly namespace: string
  /** Names the field in errors. */
  readonly param: string
}

/** Files in memory, whole: while some are decoded, as many are read. Each has up to 25 MiB. */
const FILES_AT_ONCE = 2 * DEFAULT_AT_ONCE

/** The pictures that requests name: files of their namespace, or data URLs. So many are in memory at once; the others wait. */
export class PictureInput {
  readonly #components: PictureInputComponents
  readonly #turns = new Turns(FILES_AT_ONCE)

  constructor(components: PictureInputComponents) {
    this.#components = components
  }

  /**
   * Decodes a picture to its end and keeps nothing: what is none is refused before its request waits for a place.
   *
   * @throws MeshError `invalid_request` naming the field, for pictures with `details.fault`; the signal's reason
   */
  async check(ref: PictureRef, place: PicturePlace): Promise<PictureHead> {
    return await this.#read(ref, place, (pictures, bytes) => pictures.check(bytes, place))
  }

  /** What a picture says of itself. @throws MeshError as {@link check} does */
  async head(ref: PictureRef, place: PicturePlace): Promise<PictureHead> {
    return await this.#read(ref, place, (pictures, bytes) => pictures.head(bytes, place))
  }

  /** @throws MeshError as {@link check} does */
  async decode(ref: PictureRef, place: PicturePlace, fit?: PictureFit): Promise<Picture> {
    return await this.#read(ref, place, (pictures, bytes) => pictures.decode(bytes, { ...place, ...(fit && { fit }) }))
  }

  /**
   * Where to paint, by what is transparent in a picture.
   *
   * @param of the picture that the mask belongs to
   * @returns u8 `[height, width]` of `fit`: 255 where it is painted, else 0
   * @throws MeshError as {@link check} does
   */
  async decodeMask(
    ref: PictureRef,
    place: PicturePlace,
    { of, fit }: { readonly of: Pick<PictureHead, 'width' | 'height'>; readonly fit: PictureFit }
  ): Promise<Uint8Array> {
    return await this.#read(ref, place, (pictures, bytes) => pictures.decodeMask(bytes, { ...place, of, fit }))
  }

  async #read<T>(
    ref: PictureRef,
    place: PicturePlace,
    use: (pictures: PictureCodec, bytes: Uint8Array) => Promise<T>
  ): Promise<T> {
    const { signal } = place
    const read = async (): Promise<T> => await use(this.#components.pictures, await this.#bytes(ref, place))
    return await this.#turns.run(read, signal === undefined ? {} : { signal })
  }

  async #bytes(ref: PictureRef, place: PicturePlace): Promise<Uint8Array> {
    const source = sourceOf(ref, place.param)
    return source.type === 'file' ? await this.#stored(source.id, place) : bytesOfBase64(source.base64, place.param)
  }

  async #stored(id: string, { namespace, param, signal }: PicturePlace): Promise<Uint8Array> {
    const { fileService, pictures } = this.#components
    const file = await fileService.findInUse(id, namespace).catch((error: unknown) => {
      const known = MeshError.from(error)
      // in the terms of this request, whose field is called otherwise
      throw known.code === 'not_found' ? invalidRequest(param, known.message, known.hint) : known
    })
    const { bytesMax } = pictures.limits
    if (file.bytes > bytesMax) {
      throw pictureInvalid(
        param,
        'too_large',
        `${param} has ${file.bytes} bytes, and pictures have at most ${bytesMax}`
      )
    }
    const bytes = new Uint8Array(file.bytes)
    let at = 0
    for await (const chunk of fileService.read(file, signal === undefined ? {} : { signal })) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    return bytes
  }
}
