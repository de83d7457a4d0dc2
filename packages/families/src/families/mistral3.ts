import { textPart } from '../text-part.ts'
import { mistral } from './mistral.ts'

/** Mistral Small 3.1 and 3.2, which read images too. llama.cpp files their text under Llama. */
export const mistral3 = textPart(mistral, {
  name: 'mistral3',
  title: 'the text of Mistral Small 3.1 and 3.2',
  classes: { mistral3: 'Mistral3ForConditionalGeneration' }
})
