import { openFileSource, type WeightFilePlan } from '@resultity/formats'
import { modelInvalid } from '@resultity/interface'
import { GraphRefused, type GraphRules, type GraphSummary, summarizeGraph } from './onnx-check.ts'
import { ProtobufError } from './protobuf-fields.ts'

/** Bytes of a voice's file at the most. The largest that are published have 116 MB, and 326 MB. */
export const VOICE_BYTES_MAX = 512 * 1024 * 1024

/** Bytes that are handed on at once. */
const CHUNK_BYTES = 4 * 1024 * 1024

/** `TensorProto.DataType` of inputs and outputs. */
export const FLOAT32 = 1
export const INT64 = 7

/** What a graph must read and give, to be a voice of some kind. */
export interface VoiceGraph {
  /** Whose voices these are. */
  readonly of: string
  /** Element types by name; all of them, and no others. */
  readonly inputs: ReadonlyMap<string, number>
  /** The first output, f32. */
  readonly output: string
  /** Default: standard operators alone. */
  readonly rules?: GraphRules
}

/** The whole file. @throws MeshError `model_invalid` for one that is too large, or cannot be read */
export function readVoiceFile(path: string): Uint8Array {
  using source = openFileSource(path)
  if (source.bytes > VOICE_BYTES_MAX) {
    throw modelInvalid(path, `has ${source.bytes} bytes, a voice has ${VOICE_BYTES_MAX} at the most`)
  }
  return source.read(0, source.bytes)
}

/** A weight file that is `bytes`, in chunks of their own memory: they are handed to another thread. */
export function fileAsItIs(bytes: Uint8Array): WeightFilePlan {
  return {
    layout: { bytes: bytes.byteLength, tensors: [] },
    sources: [],
    *chunks() {
      for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) {
        yield new Uint8Array(bytes.subarray(at, at + CHUNK_BYTES))
      }
    }
  }
}

/** @throws MeshError `model_invalid` for what is no ONNX model, is not run here, or reads and gives something else */
export function checkVoiceGraph(path: string, bytes: Uint8Array, { of, inputs, output, rules }: VoiceGraph): void {
  const found = summaryOf(path, bytes, rules)
  const [first] = found.outputs
  const fits =
    found.inputs.length === inputs.size &&
    found.inputs.every(({ name, elementType }) => inputs.get(name) === elementType) &&
    first?.name === output &&
    first.elementType === FLOAT32
  if (fits) return
  const names = found.inputs.map(({ name }) => name.slice(0, 64)).slice(0, 8)
  throw modelInvalid(
    path,
    `reads ${names.join(', ') || 'nothing'}, and a voice reads ${[...inputs.keys()].join(', ')} and gives ${output}`,
    `Use a voice of ${of} as it was published.`
  )
}

function summaryOf(path: string, bytes: Uint8Array, rules: GraphRules | undefined): GraphSummary {
  try {
    return summarizeGraph(bytes, rules)
  } catch (error) {
    if (error instanceof ProtobufError) throw modelInvalid(path, `is no ONNX model: ${error.message}`)
    if (error instanceof GraphRefused) throw modelInvalid(path, `is not run here: ${error.message}`)
    throw error
  }
}

/** @throws MeshError `model_invalid` */
export function parseVoiceJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw modelInvalid(name, 'is no JSON')
  }
}

/** The licence that a voice's `MODEL_CARD` names. */
export function licenseOf(card: string | undefined): { license?: string } {
  const license = /^\W*license:\s*(\S.*)$/im
    .exec(card ?? '')?.[1]
    ?.trim()
    .slice(0, 512)
  return license === undefined ? {} : { license }
}
