import { attribute, constant, FLOAT32, f32, field, INT64, i64, model, operator, value } from './onnx-writer.ts'

/**
 * A voice of Piper's form without weights: it says each phoneme as a tone, {@link TINY_SAMPLES} samples long at the usual speed.
 * Its graph is `sin(tile(input · 0.05, samples · scales[1]))`, as an ONNX model of 600 bytes.
 */
export interface TinyVoice {
  readonly onnx: Uint8Array
  /** The text of its `.onnx.json`. */
  readonly json: string
}

/** Samples of one phoneme id. */
export const TINY_SAMPLES = 40
export const TINY_SAMPLE_RATE = 16_000

export interface TinyVoiceInit {
  /** With three speakers and an input for them. */
  readonly speakers?: boolean
  /** Bytes of the protobuf message behind the model's own fields, for what a checker should refuse. */
  readonly more?: Uint8Array
  /** Bytes of one node more. */
  readonly node?: Uint8Array
}

export function tinyVoice({ speakers = false, more, node }: TinyVoiceInit = {}): TinyVoice {
  const inputs = [
    value('input', INT64, 2),
    value('input_lengths', INT64, 1),
    value('scales', FLOAT32, 1),
    ...(speakers ? [value('sid', INT64, 1)] : [])
  ]
  const nodes = [
    operator('Cast', ['input'], 'ids', attribute('to', FLOAT32)),
    operator('Mul', ['ids', 'pitch'], 'tones'),
    operator('Gather', ['scales', 'one'], 'length'),
    operator('Mul', ['length', 'samples'], 'repeats'),
    operator('Cast', ['repeats'], 'times', attribute('to', INT64)),
    operator('Concat', ['first', 'times'], 'tiling', attribute('axis', 0)),
    operator('Tile', ['tones', 'tiling'], 'long'),
    operator('Sin', ['long'], 'wave'),
    operator('Unsqueeze', ['wave', 'axes'], 'output'),
    ...(node === undefined ? [] : [field(1, node)])
  ]
  const constants = [
    constant('pitch', FLOAT32, [1], f32(0.05)),
    constant('samples', FLOAT32, [1], f32(TINY_SAMPLES)),
    constant('one', INT64, [1], i64(1)),
    constant('first', INT64, [1], i64(1)),
    constant('axes', INT64, [2], i64(1, 2))
  ]
  const onnx = model({ name: 'voice', nodes, constants, inputs, output: value('output', FLOAT32, 4), more })
  return { onnx, json: JSON.stringify(settings(speakers)) }
}

function settings(speakers: boolean): Record<string, unknown> {
  const letters = "_^$ !',.:;?abcdefhijklmnopqrstuvwxyzæðŋɐɑɔəɚɛɜɡɪɹɾʃʊʌʒʔθᵻˈˌː\u0329"
  return {
    audio: { sample_rate: TINY_SAMPLE_RATE, quality: 'tiny' },
    espeak: { voice: 'en-us' },
    inference: { noise_scale: 0, length_scale: 1, noise_w: 0 },
    phoneme_type: 'espeak',
    phoneme_id_map: Object.fromEntries(Array.from(letters, (letter, id) => [letter, [id]])),
    num_symbols: 128,
    num_speakers: speakers ? 3 : 1,
    speaker_id_map: speakers ? { anna: 0, ben: 1, cleo: 2 } : {},
    language: { code: 'en_US' }
  }
}
