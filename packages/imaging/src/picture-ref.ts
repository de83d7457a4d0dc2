import { invalidRequest } from '@resultity/interface'
import { z } from 'zod'

const text = z.string().min(1)

/**
 * A picture in a body of JSON: the id of an uploaded file, a data URL, or an object with one of them as OpenAI writes it. A form
 * has the file itself.
 */
export const pictureRefSchema = z
  .union(
    [
      text,
      z.looseObject({ file_id: text }),
      z.looseObject({ image_url: z.union([text, z.looseObject({ url: text })]) })
    ],
    { error: 'a picture is the id of an uploaded file, or a data URL' }
  )
  .meta({ id: 'PictureReference' })
export type PictureRef = z.infer<typeof pictureRefSchema>

/** Where a picture is. */
export type PictureSource =
  | { readonly type: 'file'; readonly id: string }
  /** In base64. */
  | { readonly type: 'data'; readonly base64: string }

const FILE_ID = /^file-[\w-]{1,100}$/
const DATA_URL_HEAD = /^data:[\w.+/-]{0,100}(?:;[\w.=+-]{1,100}){0,8};base64,/i
const HEAD_CHARACTERS_MAX = 1024

/** @throws MeshError `invalid_request` naming the field for what is neither: addresses are never fetched */
export function sourceOf(ref: PictureRef, param: string): PictureSource {
  const written = writtenIn(ref)
  if (FILE_ID.test(written)) return { type: 'file', id: written }
  const head = DATA_URL_HEAD.exec(written.slice(0, HEAD_CHARACTERS_MAX))?.[0]
  if (head !== undefined) return { type: 'data', base64: written.slice(head.length) }
  const hint = 'Send the picture in a form, as a data URL in base64, or upload it by POST /v1/files and send its id.'
  if (/^\w+:\/\//.test(written))
    throw invalidRequest(param, `${param} is an address, and none is fetched from here`, hint)
  throw invalidRequest(param, `${param} is neither the id of a file nor a data URL in base64`, hint)
}

function writtenIn(ref: PictureRef): string {
  if (typeof ref === 'string') return ref
  if ('file_id' in ref) return String(ref.file_id)
  const { image_url: url } = ref as { readonly image_url: string | { readonly url: string } }
  return typeof url === 'string' ? url : url.url
}

/** @throws MeshError `invalid_request` naming the field for what is no base64 */
export function bytesOfBase64(base64: string, param: string): Uint8Array {
  const bytes = Buffer.from(base64, 'base64')
  // the decoder leaves out what is no base64
  const digits = base64.length - (/=*$/.exec(base64.slice(-2))?.[0].length ?? 0)
  if (bytes.length === Math.floor((digits * 3) / 4)) return bytes
  throw invalidRequest(param, `${param} is a data URL whose data is no base64`)
}
