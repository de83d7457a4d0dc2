import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readOptionalFolderText, type WeightFilePlan } from '@resultity/formats'
import type { PiperConfig } from '@resultity/interface'
import { readPiperConfig } from './piper-config.ts'
import { checkVoiceGraph, FLOAT32, fileAsItIs, INT64, readVoiceFile } from './voice-file.ts'

/** A voice of Piper: its settings, and its file as it is. */
export interface PiperVoice {
  readonly config: PiperConfig
  readonly file: WeightFilePlan
}

/** The voice at `path`: an ONNX file, or a folder with one, with its settings beside it. Undefined where there is none. */
export function piperVoiceAt(path: string): string | undefined {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return hasSettings(path) ? path : undefined
  const names = readdirSync(path)
  const [only, ...others] = names.filter(name => name.endsWith('.onnx') && names.includes(`${name}.json`))
  return only === undefined || others.length > 0 ? undefined : join(path, only)
}

function hasSettings(path: string): boolean {
  return path.endsWith('.onnx') && statSync(`${path}.json`, { throwIfNoEntry: false })?.isFile() === true
}

/**
 * Opens a voice, reading its whole file once. Synchronous: call it where nothing waits.
 *
 * @param path of the ONNX file, as {@link piperVoiceAt} gives it
 * @throws MeshError `model_invalid`
 */
export function openPiperVoice(path: string): PiperVoice {
  const config = readPiperConfig(
    `${path}.json`,
    readOptionalFolderText(`${path}.json`) ?? '',
    readOptionalFolderText(join(dirname(path), 'MODEL_CARD'))
  )
  const bytes = readVoiceFile(path)
  const inputs = new Map([
    ['input', INT64],
    ['input_lengths', INT64],
    ['scales', FLOAT32],
    ...(Object.keys(config.speakers).length > 0 ? [['sid', INT64] as const] : [])
  ])
  checkVoiceGraph(path, bytes, { of: 'Piper', inputs, output: 'output' })
  return { config, file: fileAsItIs(bytes) }
}
