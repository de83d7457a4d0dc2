import { join } from 'node:path'
import { disposeOnError, openSafetensorsFolder, readFolderText, readOptionalFolderText } from '@resultity/formats'
import { modelInvalid } from '@resultity/interface'
import type { BlipSource } from './blip-source.ts'
import { BlipTensors, QUESTION_READER } from './blip-tensors.ts'
import { blipConfig, type NamedText } from './config.ts'

/**
 * Opens a folder as Hugging Face publishes BLIPs. The caller disposes of it.
 *
 * @throws MeshError `model_invalid` for a field or a tensor that is wrong, missing or unknown
 */
export function openBlip(directory: string): BlipSource {
  const { tensors, dispose } = openSafetensorsFolder(directory)
  return disposeOnError(dispose, () => {
    const names = [...tensors.names]
    if (!names.some(name => name.startsWith('text_decoder.'))) {
      const hint = 'of BLIPs, those are served that write captions or answer questions'
      throw modelInvalid(directory, 'has nothing that writes: no tensor of a text decoder', hint)
    }
    const task = names.some(name => name.startsWith(QUESTION_READER)) ? 'answer' : 'caption'
    const config = blipConfig(configOf(directory), processorOf(directory), task)
    const found = new BlipTensors(directory, config, tensors).collect()
    return { config, ...found, [Symbol.dispose]: dispose }
  })
}

function configOf(directory: string): NamedText {
  const file = join(directory, 'config.json')
  return { file, text: readFolderText(file) }
}

function processorOf(directory: string): NamedText | undefined {
  const file = join(directory, 'preprocessor_config.json')
  const text = readOptionalFolderText(file)
  return text === undefined ? undefined : { file, text }
}
