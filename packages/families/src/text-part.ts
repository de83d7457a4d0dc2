import { z } from 'zod'
import type { Family } from './family.ts'
import { readFields } from './hub-config.ts'
import type { TensorNaming } from './tensor-naming.ts'

const fields = z.looseObject({ text_config: z.looseObject({}) })

/** What no text goes through. */
const OTHER_PARTS = /^(model\.)?(vision_tower|multi_modal_projector)\./

export interface TextPartInit extends Pick<Family, 'name' | 'title'> {
  /** As {@link Family.hub}. */
  readonly classes: Readonly<Record<string, string>>
}

/**
 * A family whose models take images too, and whose text is computed by a model of `family`: its configuration is in
 * `text_config`, its tensors have a name before theirs. Images are not taken.
 */
export function textPart(family: Family, { name, title, classes }: TextPartInit): Family {
  const { hub } = family
  return {
    name,
    title,
    hub: {
      ...hub,
      classes,
      describe: ({ file, json }) => hub.describe({ file, json: readFields({ file, json }, fields).text_config }),
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
