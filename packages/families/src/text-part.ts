import { z } from 'zod'
import type { Family } from './family.ts'
import { readFields } from './hub-config.ts'
import { refuseArchitecture } from './refusals.ts'
import type { TensorNaming } from './tensor-naming.ts'

/** One that names no type is of the family's first: transformers takes it so. */
const fields = z.looseObject({ text_config: z.looseObject({ model_type: z.string().nullish() }) })

/** What no text goes through. */
const OTHER_PARTS = /^(model\.)?(vision_tower|multi_modal_projector)\./

export interface TextPartInit extends Pick<Family, 'name' | 'title'> {
  /** As {@link Family.hub}. */
  readonly classes: Readonly<Record<string, string>>
}

/**
 * A family whose models take images too, and whose text is computed by a model of `family`: its configuration is in
 * `text_config`, its tensors have a name before theirs. Images are not taken. Later releases may have a text of another
 * family in the same class, which is refused.
 */
export function textPart(family: Family, { name, title, classes }: TextPartInit): Family {
  const { hub } = family
  return {
    name,
    title,
    hub: {
      ...hub,
      classes,
      describe({ file, json }) {
        const { text_config: text } = readFields({ file, json }, fields)
        const { model_type: type } = text
        if (type != null && !Object.hasOwn(hub.classes, type)) return refuseArchitecture(type)
        return hub.describe({ file, json: text })
      },
      tensors: named(hub.tensors, 'language_model.model.', 'language_model.'),
      // as transformers has them in memory, and some tools save them
      otherTensors: [named(hub.tensors, 'model.language_model.', '')]
    }
  }
}

/** The names of the text's tensors behind `model`, in place of `model.`; that of the head behind `head`. */
function named(naming: TensorNaming, model: string, head: string): TensorNaming {
  const renamed = (own: string): string => own.replace(/^model\./, model)
  return {
    ...naming,
    embedding: renamed(naming.embedding),
    finalNorm: renamed(naming.finalNorm),
    head: `${head}${naming.head}`,
    layerPrefix: renamed(naming.layerPrefix),
    ignored: new RegExp(`${naming.ignored.source}|${OTHER_PARTS.source}`)
  }
}
