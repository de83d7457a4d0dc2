import { type AbortOptions, type SightConfig, Turns } from '@resultity/interface'
import type { ChatPicture, ChatPictureGrid, ChatPictures } from '@resultity/openai'
import { DEFAULT_AT_ONCE, type PictureCodec, type PiecesThread, pictureInvalid, pieceGrid } from '@resultity/pictures'
import { bytesOfBase64, sourceOf } from './picture-ref.ts'

export interface ChatPictureReaderComponents {
  readonly pictures: Pick<PictureCodec, 'head' | 'decode' | 'limits'>
  /** Cuts pictures away from the event loop. */
  readonly cutting: Pick<PiecesThread, 'cut'>
}

/** Reads the pictures of conversations, which come as data URLs. So many are in memory at once; the others wait. */
export class ChatPictureReader implements ChatPictures {
  readonly #components: ChatPictureReaderComponents
  readonly #turns = new Turns(DEFAULT_AT_ONCE)

  constructor(components: ChatPictureReaderComponents) {
    this.#components = components
  }

  async grid(picture: ChatPicture, sight: SightConfig, { signal }: AbortOptions = {}): Promise<ChatPictureGrid> {
    const place = { param: picture.param, ...(signal && { signal }) }
    return pieceGrid(await this.#components.pictures.head(this.#bytes(picture), place), sight)
  }

  async pieces(
    picture: ChatPicture,
    sight: SightConfig,
    { signal }: AbortOptions = {}
  ): Promise<readonly Uint8Array[]> {
    const options = signal === undefined ? {} : { signal }
    const { pictures, cutting } = this.#components
    const { imageSize, longestEdge } = sight
    return await this.#turns.run(async () => {
      const decoded = await pictures.decode(this.#bytes(picture), { param: picture.param, ...options })
      return await cutting.cut(decoded, { imageSize, longestEdge }, options)
    }, options)
  }

  #bytes({ url, param }: ChatPicture): Uint8Array {
    const source = sourceOf(url, param)
    const bytes = bytesOfBase64(source.type === 'data' ? source.base64 : '', param)
    const { bytesMax } = this.#components.pictures.limits
    if (bytes.length <= bytesMax) return bytes
    throw pictureInvalid(
      param,
      'too_large',
      `${param} has ${bytes.length} bytes, and pictures have at most ${bytesMax}`
    )
  }
}
