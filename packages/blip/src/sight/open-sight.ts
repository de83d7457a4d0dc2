import { join } from 'node:path'
import { disposeOnError, openSafetensorsFolder, readFolderText, readOptionalFolderText } from '@resultity/formats'
import { sightConfig } from './sight-settings.ts'
import type { SightSource } from './sight-source.ts'
import { collectSight } from './sight-tensors.ts'

/** The `model_type` of folders whose decoder reads pictures that are looked at here. */
const TYPES: ReadonlySet<string> = new Set(['idefics3', 'smolvlm'])

/** Whether a model of this `model_type` has a {@link SightSource}. */
export function hasSight(modelType: string | undefined): boolean {
  return modelType !== undefined && TYPES.has(modelType)
}

/**
 * Opens what looks at pictures of a folder as Hugging Face publishes SmolVLM. The caller disposes of it.
 *
 * @param hiddenSize numbers of a state of the decoder
 * @throws MeshError `model_invalid` for a field or a tensor that is wrong, missing or unknown
 */
export function openSight(directory: string, hiddenSize: number): SightSource {
  const read = (name: string) => ({ file: join(directory, name), text: readOptionalFolderText(join(directory, name)) })
  const file = join(directory, 'config.json')
  const { file: processorFile, text } = read('preprocessor_config.json')
  const config = sightConfig(
    { file, text: readFolderText(file) },
    text === undefined ? undefined : { file: processorFile, text }
  )
  const { tensors, dispose } = openSafetensorsFolder(directory)
  return disposeOnError(dispose, () => {
    const found = collectSight(directory, config, hiddenSize, tensors)
    return { config, ...found, [Symbol.dispose]: dispose }
  })
}
