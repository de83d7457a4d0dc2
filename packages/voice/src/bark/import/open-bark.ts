import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  disposeOnError,
  type OpenTensors,
  openFileSource,
  openSafetensorsFolder,
  openTorchCheckpoint,
  readFolderText,
  readOptionalFolderText
} from '@resultity/formats'
import type { BarkSource, VoicePrompt } from './bark-source.ts'
import { BarkTensors } from './bark-tensors.ts'
import { readBarkVoices } from './bark-voices.ts'
import { barkConfig } from './config.ts'

/** The weights as suno publishes them: a checkpoint of torch. */
export const BARK_CHECKPOINT = 'pytorch_model.bin'

/** Names the licence. */
export const BARK_CARD = 'README.md'

/** Whether a folder is a Bark's, by its `config.json`. */
export function isBarkFolder(directory: string): boolean {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return false
  try {
    const found: unknown = JSON.parse(readOptionalFolderText(join(directory, 'config.json')) ?? '{}')
    return typeof found === 'object' && found !== null && 'model_type' in found && found.model_type === 'bark'
  } catch {
    return false
  }
}

/**
 * Opens a folder as suno publishes Barks, or one with safetensors. The caller disposes of it.
 *
 * @throws MeshError `model_invalid` for a field, a tensor or a voice that is wrong, missing or unknown
 */
export function openBark(directory: string): BarkSource {
  const { tensors, dispose } = openTensors(directory)
  return disposeOnError(dispose, () => {
    let voices: readonly VoicePrompt[] = []
    const config = barkConfig(textsOf(directory), ({ semantic, coarse, fine, codec }) => {
      voices = readBarkVoices(directory, {
        semanticCount: semantic.semanticCount,
        codebookSize: codec.codebookSize,
        coarseCodebooks: coarse.codebookCount,
        fineCodebooks: fine.codebookCount
      })
      return voices
    })
    const files = new BarkTensors(directory, config, tensors).collect()
    return { config, files, voices, [Symbol.dispose]: dispose }
  })
}

function openTensors(directory: string): OpenTensors {
  const names = readdirSync(directory)
  if (names.some(name => name.endsWith('.safetensors')) || !names.includes(BARK_CHECKPOINT))
    return openSafetensorsFolder(directory)
  const file = openFileSource(join(directory, BARK_CHECKPOINT))
  const dispose = (): void => file[Symbol.dispose]()
  return disposeOnError(dispose, () => ({ tensors: openTorchCheckpoint(file), dispose }))
}

function textsOf(directory: string): Parameters<typeof barkConfig>[0] {
  const model = join(directory, 'config.json')
  const generation = join(directory, 'generation_config.json')
  const text = readOptionalFolderText(generation)
  return {
    model: { file: model, text: readFolderText(model) },
    card: readOptionalFolderText(join(directory, BARK_CARD)),
    generation: text === undefined ? undefined : { file: generation, text }
  }
}
