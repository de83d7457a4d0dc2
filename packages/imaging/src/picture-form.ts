import { invalidRequest } from '@resultity/interface'
import type { JobForm } from '@resultity/openai'
import type { PictureLimits } from '@resultity/pictures'

/** Pictures of one request, as OpenAI limits them, and a mask. */
export const PICTURES_IN_MAX = 16

/** More than a prompt takes: 32,000 characters. */
const FIELD_BYTES_MAX = 131_072

/**
 * Forms with pictures: each of `names` is one picture, or the id of an uploaded one. What `lists` names may come several times, with
 * brackets behind its name or without.
 */
export function pictureForm(
  { bytesMax }: PictureLimits,
  { names, lists = [] }: { readonly names: readonly string[]; readonly lists?: readonly string[] }
): JobForm {
  return {
    fileNames: [...names, ...lists],
    filesMax: names.length + lists.length * PICTURES_IN_MAX,
    fileBytesMax: bytesMax,
    fieldsMax: 64,
    fieldBytesMax: FIELD_BYTES_MAX,
    kinds: {
      lists: new Set(lists),
      objects: new Set(['mesh']),
      numbers: new Set([
        'n',
        'output_compression',
        'partial_images',
        'seed',
        'steps',
        'guidance_scale',
        'guidance_rescale',
        'strength'
      ]),
      booleans: new Set(['stream', 'store'])
    },
    bodyOf: (fields, files) => {
      const body = { ...fields }
      for (const { name, id } of files) {
        if (lists.includes(name)) {
          const before = Array.isArray(body[name]) ? body[name] : []
          body[name] = [...before, id]
        } else if (body[name] === undefined) {
          body[name] = id
        } else {
          throw invalidRequest(name, `the form has several pictures named ${name}`, 'Send one of them.')
        }
      }
      return body
    }
  }
}
