import { z } from 'zod'
import type { Family } from '../family.ts'
import { orElse, readFields } from '../hub-config.ts'
import { refuseArchitecture } from '../refusals.ts'
import { hubNaming, type TensorNaming } from '../tensor-naming.ts'
import { llama } from './llama.ts'

/** One that names no type has a Llama: transformers takes it so. */
const fields = z.looseObject({
  text_config: z.looseObject({ model_type: z.string().nullish() }),
  tie_word_embeddings: orElse(z.boolean(), false)
})

const renamed = (own: string): string => own.replace(/^model\./, 'model.text_model.')

const naming: TensorNaming = {
  ...hubNaming,
  embedding: renamed(hubNaming.embedding),
  finalNorm: renamed(hubNaming.finalNorm),
  layerPrefix: renamed(hubNaming.layerPrefix),
  // what looks at pictures is read by the package that builds its graph, which refuses what has no place
  ignored: new RegExp(`${hubNaming.ignored.source}|^model\\.(vision_model|connector)\\.`)
}

/** Idefics 3 and SmolVLM: a Llama that reads pictures too, whose states are looked up beside those of its tokens. */
export const idefics3: Family = {
  name: 'idefics3',
  title: 'SmolVLM and Idefics 3 with images',
  hub: {
    classes: { idefics3: 'Idefics3ForConditionalGeneration', smolvlm: 'SmolVLMForConditionalGeneration' },
    describe({ file, json }) {
      const { text_config: text, tie_word_embeddings } = readFields({ file, json }, fields)
      const { model_type: type } = text
      if (type != null && type !== 'llama') return refuseArchitecture(type)
      // the whole model's settings say whether the head is the embedding
      return llama.hub.describe({ file, json: { ...text, tie_word_embeddings } })
    },
    tensors: naming
  }
}
