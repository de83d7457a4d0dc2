import { createHash } from 'node:crypto'
import type { PromptPiece } from '@resultity/generation'
import {
  type AbortOptions,
  invalidRequest,
  PICTURE_PIECES_MAX,
  requireDecoder,
  type SightConfig,
  statesOfPiece
} from '@resultity/interface'
import type { ServedDecoder } from '@resultity/placement'
import type { PictureTexts } from '@resultity/tokenizer'
import type { ChatRequest } from './chat-schema.ts'
import type { ContentPart } from './text-parts.ts'

/** A picture in a conversation. */
export interface ChatPicture {
  /** A data URL. */
  readonly url: string
  /** Names the part in errors. */
  readonly param: string
}

/** Rows and columns that a picture is cut into; none of either: it is looked at as a whole only. */
export interface ChatPictureGrid {
  readonly rows: number
  readonly columns: number
}

/** Reads the pictures of conversations. Both throw MeshError `invalid_request` naming the part for what is no picture, with `details.fault`. */
export interface ChatPictures {
  /** Into what a picture is cut, by its head. */
  grid(picture: ChatPicture, sight: SightConfig, options?: AbortOptions): Promise<ChatPictureGrid>
  /** Its pieces, row by row, and behind them the whole: u8 `[imageSize, imageSize, 3]` each. */
  pieces(picture: ChatPicture, sight: SightConfig, options?: AbortOptions): Promise<readonly Uint8Array[]>
}

/** What a prompt shows, before anything of it is decoded. */
export interface ShownPictures {
  readonly sight: SightConfig
  readonly pictures: readonly ChatPicture[]
  /** What stands in the prompt for each. */
  readonly texts: PictureTexts
}

type Message = ChatRequest['messages'][number]

/** Pictures of one request. */
const PICTURES_MAX = 16

const FAKE = '<fake_token_around_image>'
const WHOLE = '<global-img>'

/** What looks at the pictures of a conversation; undefined for a model that reads none. */
export function sightOf(model: ServedDecoder): SightConfig | undefined {
  return requireDecoder(model.placeable.manifest).sight?.config
}

/** The address in a part that is a picture; undefined for any other part. */
export function pictureUrlOf(part: ContentPart): string | undefined {
  if (part.type !== 'image_url') return undefined
  const { image_url: image } = part
  const url = typeof image === 'object' && image !== null && 'url' in image ? image.url : image
  return typeof url === 'string' ? url : ''
}

/**
 * Finds the pictures of a conversation, and how they are cut. Nothing is decoded, and nothing is ever fetched.
 *
 * @returns undefined where there are none, or the model reads none: its prompt is refused then
 * @throws MeshError `invalid_request` naming the part
 */
export async function shownPictures(
  messages: readonly Message[],
  model: ServedDecoder,
  reader: ChatPictures | undefined
): Promise<ShownPictures | undefined> {
  const sight = sightOf(model)
  const pictures = picturesOf(messages)
  if (sight === undefined || reader === undefined || pictures.length === 0) return undefined
  if (pictures.length > PICTURES_MAX) {
    throw invalidRequest('messages', `the messages show ${pictures.length} pictures, ${PICTURES_MAX} are taken at most`)
  }
  const token = model.tokenizer.nameOf(sight.imageToken) ?? ''
  const grids: ChatPictureGrid[] = []
  for (const picture of pictures) {
    refuseAddress(picture)
    grids.push(await reader.grid(picture, sight))
  }
  const pieces = grids.reduce((sum, { rows, columns }) => sum + rows * columns + 1, 0)
  if (pieces > PICTURE_PIECES_MAX) {
    const message = `the pictures are looked at in ${pieces} pieces, ${PICTURE_PIECES_MAX} are taken at most`
    throw invalidRequest('messages', message, 'Send fewer pictures: a large one has up to 17 pieces.')
  }
  const texts = grids.map(grid => pictureText(grid, token.repeat(statesOfPiece(sight))))
  return { sight, pictures, texts: { token, texts } }
}

/**
 * Cuts the pictures, and finds where the prompt reads what is seen.
 *
 * @throws MeshError as {@link ChatPictures.pieces}; `internal` where the prompt has other places
 */
export async function shownPieces(
  { sight, pictures }: ShownPictures,
  prompt: readonly number[],
  reader: ChatPictures,
  options: AbortOptions
): Promise<PromptPiece[]> {
  const count = statesOfPiece(sight)
  const places = prompt.flatMap((token, at) => (token === sight.imageToken ? [at] : []))
  const pieces: PromptPiece[] = []
  for (const picture of pictures) {
    for (const pixels of await reader.pieces(picture, sight, options)) {
      const position = places[count * pieces.length] ?? -1
      pieces.push({ position, count, pixels, digest: createHash('sha256').update(pixels).digest() })
    }
  }
  if (places.length === count * pieces.length) return pieces
  throw new RangeError(`the prompt has ${places.length} places for ${pieces.length} pieces of ${count}`)
}

function picturesOf(messages: readonly Message[]): ChatPicture[] {
  return messages.flatMap(({ role, content }, index) => {
    if (role !== 'user' || !Array.isArray(content)) return []
    return content.flatMap((part, at) => {
      const url = pictureUrlOf(part)
      return url === undefined ? [] : [{ url, param: `messages[${index}].content[${at}].image_url` }]
    })
  })
}

/**
 * What is fetched from an address that a stranger names may be anything, from anywhere this machine reaches.
 * @throws MeshError `invalid_request` for all but data URLs
 */
export function refuseAddress({ url, param }: Pick<ChatPicture, 'url' | 'param'>): void {
  if (/^data:/i.test(url)) return
  const hint = 'Send the picture itself as a data URL in base64: data:image/png;base64,…'
  if (/^\w+:\/\//.test(url)) throw invalidRequest(param, `${param} is an address, and none is fetched from here`, hint)
  throw invalidRequest(param, `${param} is no data URL`, hint)
}

/** As the model was trained to read a picture: each piece behind its place, and the whole last. */
function pictureText({ rows, columns }: ChatPictureGrid, states: string): string {
  const whole = `${FAKE}${WHOLE}${states}${FAKE}`
  if (rows === 0) return whole
  const places = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => `${FAKE}<row_${row + 1}_col_${column + 1}>${states}`).join('')
  )
  return `${places.map(line => `${line}\n`).join('')}\n${whole}`
}
