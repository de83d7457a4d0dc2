import { textPart } from '../text-part.ts'
import { gemma3 } from './gemma3.ts'

/** Gemma 3 from 4B on, which reads images too. llama.cpp files its text under Gemma 3, and the rest in a file of its own. */
export const gemma3Images = textPart(gemma3, {
  name: 'gemma3-images',
  title: 'the text of Gemma 3 with images',
  classes: { gemma3: 'Gemma3ForConditionalGeneration' }
})
