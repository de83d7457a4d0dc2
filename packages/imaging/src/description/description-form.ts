import type { JobForm } from '@resultity/openai'
import type { PictureLimits } from '@resultity/pictures'
import { pictureForm } from '../picture-form.ts'

/** Forms with one picture to be described, `image` or `file`. */
export function descriptionForm(limits: PictureLimits): JobForm {
  const form = pictureForm(limits, { names: ['image', 'file'] })
  const numbers = new Set(['max_tokens', 'min_tokens', 'temperature', 'top_p', 'repetition_penalty', 'seed'])
  return { ...form, kinds: { ...form.kinds, numbers } }
}
