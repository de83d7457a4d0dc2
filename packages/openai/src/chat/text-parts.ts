import { invalidRequest } from '@resultity/interface'
import { z } from 'zod'

/** A part of a message's content, of any kind: which are taken is said by {@link partText}, and is the same on all routes. */
export const contentPartSchema = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  refusal: z.string().optional(),
  /** A picture as a data URL, by itself or in an object; for models that read pictures. */
  image_url: z.union([z.string(), z.looseObject({ url: z.string() })]).optional()
})
export type ContentPart = z.infer<typeof contentPartSchema>

/** All types of parts that are text. */
const TEXT_PARTS: ReadonlySet<string> = new Set(['text', 'input_text', 'output_text'])
const REFUSAL = 'refusal'
/** What a model takes that reads pictures, in the turns of the user. */
const OF_PICTURES: ReadonlySet<string> = new Set(['image_url', 'input_image'])

/**
 * What a part says.
 * @throws MeshError `invalid_request` naming the field, for parts of other kinds, or without their text
 */
export function partText(part: ContentPart, field: string): string {
  const { type } = part
  if (type !== REFUSAL && !TEXT_PARTS.has(type)) {
    throw invalidRequest(
      `${field}.type`,
      `"${type}" parts are not served${OF_PICTURES.has(type) ? ' by this model' : ''}`,
      hintOf(type)
    )
  }
  const text = spokenText(part)
  if (text !== undefined) return text
  throw invalidRequest(`${field}.${type === REFUSAL ? REFUSAL : 'text'}`, `${field} has no text`)
}

function hintOf(type: string): string {
  if (!OF_PICTURES.has(type)) return 'Send text parts only.'
  return 'Send text parts only, or pictures in turns of the user to a model that reads them, such as hf:HuggingFaceTB/SmolVLM-256M-Instruct.'
}

/** The text of a part, if it is one that has any. */
export function spokenText({ type, text, refusal }: ContentPart): string | undefined {
  return type === REFUSAL ? refusal : text
}
