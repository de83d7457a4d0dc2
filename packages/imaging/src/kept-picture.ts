import { createHash } from 'node:crypto'
import {
  type PictureSizes,
  type PictureState,
  readBytesMessage,
  readPictureEvent,
  safeParse,
  writeBytesMessage,
  writePictureEvent
} from '@resultity/interface'
import { z } from 'zod'

/** How far one picture is. */
export type Kept =
  | { readonly type: 'state'; readonly state: PictureState }
  /** It is done: its file, and who drew it, as answers say it. */
  | { readonly type: 'file'; readonly file: Uint8Array; readonly route: string }

export const KEPT_HEAD_BYTES_MAX = 16 * 1024

const headSchema = z.object({
  version: z.literal(1),
  /** What is drawn: a state of something else is none. */
  plan: z.string().length(64),
  /** Of the bytes behind the head. */
  sha256: z.string().length(64),
  /** Of a file. */
  route: z.string().optional()
})

/** As a file holds it. @param plan digest of what is drawn */
export function writeKept(kept: Kept, plan: string): Uint8Array {
  const block = kept.type === 'file' ? kept.file : writePictureEvent({ ...kept.state, type: 'step', state: kept.state })
  const route = kept.type === 'file' ? { route: kept.route.slice(0, ROUTE_CHARACTERS_MAX) } : {}
  const head: z.infer<typeof headSchema> = { version: 1, plan, sha256: sha256Of(block), ...route }
  return writeBytesMessage({ head, blocks: [block] })
}

const ROUTE_CHARACTERS_MAX = KEPT_HEAD_BYTES_MAX / 4

/** What a file holds. @returns undefined where it is damaged, or of another plan */
export function readKept(bytes: Uint8Array, plan: string, sizes: PictureSizes): Kept | undefined {
  const message = readBytesMessage(bytes, KEPT_HEAD_BYTES_MAX)
  const head = message && safeParse(headSchema, message.head).data
  const [block, ...others] = message?.blocks ?? []
  if (head === undefined || block === undefined || others.length > 0) return undefined
  if (head.plan !== plan || head.sha256 !== sha256Of(block)) return undefined
  if (head.route !== undefined) return { type: 'file', file: block, route: head.route }
  const event = readPictureEvent(block, sizes)
  return event?.type === 'step' && event.state !== undefined ? { type: 'state', state: event.state } : undefined
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
