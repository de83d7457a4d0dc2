import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { openFileSource, readOptionalFolderText, type WeightFilePlan } from '@resultity/formats'
import { modelInvalid, type VoiceConfig } from '@resultity/interface'
import { GraphRefused, type GraphSummary, summarizeGraph } from './onnx-check.ts'
import { readPiperConfig } from './piper-config.ts'
import { ProtobufError } from './protobuf-fields.ts'

/** Bytes of a voice's file at the most. The largest that are published have 116 MB. */
export const VOICE_BYTES_MAX = 512 * 1024 * 1024

/** Bytes that are handed on at once. */
const CHUNK_BYTES = 4 * 1024 * 1024

/** `TensorProto.DataType` of the inputs and the output. */
const FLOAT32 = 1
const INT64 = 7

/** A voice of Piper: its settings, and its file as it is. */
export interface PiperVoice {
  readonly config: VoiceConfig
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
  using source = openFileSource(path)
  if (source.bytes > VOICE_BYTES_MAX) {
    throw modelInvalid(path, `has ${source.bytes} bytes, a voice has ${VOICE_BYTES_MAX} at the most`)
  }
  const bytes = source.read(0, source.bytes)
  checkGraph(path, bytes, config)
  return {
    config,
    file: {
      layout: { bytes: bytes.byteLength, tensors: [] },
      sources: [],
      *chunks() {
        for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) yield bytes.slice(at, at + CHUNK_BYTES)
      }
    }
  }
}

function checkGraph(path: string, bytes: Uint8Array, { speakers }: VoiceConfig): void {
  const { inputs, outputs } = summaryOf(path, bytes)
  const wanted = new Map([
    ['input', INT64],
    ['input_lengths', INT64],
    ['scales', FLOAT32],
    ...(Object.keys(speakers).length > 0 ? [['sid', INT64] as const] : [])
  ])
  const fits =
    inputs.length === wanted.size &&
    inputs.every(({ name, elementType }) => wanted.get(name) === elementType) &&
    outputs.length > 0 &&
    outputs[0]?.name === 'output' &&
    outputs[0].elementType === FLOAT32
  if (fits) return
  const found = inputs.map(({ name }) => name.slice(0, 64)).slice(0, 8)
  throw modelInvalid(
    path,
    `reads ${found.join(', ') || 'nothing'}, and a voice reads ${[...wanted.keys()].join(', ')} and gives output`,
    'Use a voice of Piper as it was published.'
  )
}

function summaryOf(path: string, bytes: Uint8Array): GraphSummary {
  try {
    return summarizeGraph(bytes)
  } catch (error) {
    if (error instanceof ProtobufError) throw modelInvalid(path, `is no ONNX model: ${error.message}`)
    if (error instanceof GraphRefused) throw modelInvalid(path, `is not run here: ${error.message}`)
    throw error
  }
}
