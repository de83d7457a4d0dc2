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
  const graph = join(
    ...nodes,
    field(2, text('voice')),
    ...constants,
    ...inputs.map(one => field(11, one)),
    field(12, value('output', FLOAT32, 4))
  )
  const model = join(
    number(1, 8),
    field(7, graph),
    field(8, join(field(1, text('')), number(2, 17))),
    more ?? new Uint8Array()
  )
  return { onnx: model, json: JSON.stringify(settings(speakers)) }
}

const FLOAT32 = 1
const INT64 = 7

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

/** A field of a protobuf message that holds bytes: for nodes that a test adds. */
export function field(id: number, bytes: Uint8Array): Uint8Array {
  return join(varint(8 * id + 2), varint(bytes.length), bytes)
}

/** A field of a protobuf message that holds a number. */
export function number(id: number, value: number): Uint8Array {
  return join(varint(8 * id), varint(value))
}

function operator(type: string, inputs: readonly string[], output: string, ...attributes: Uint8Array[]): Uint8Array {
  return field(
    1,
    join(
      ...inputs.map(input => field(1, text(input))),
      field(2, text(output)),
      field(4, text(type)),
      ...attributes.map(one => field(5, one))
    )
  )
}

function attribute(name: string, value: number): Uint8Array {
  return join(field(1, text(name)), number(3, value), number(20, 2))
}

function constant(name: string, type: number, shape: readonly number[], bytes: Uint8Array): Uint8Array {
  return field(5, join(...shape.map(size => number(1, size)), number(2, type), field(8, text(name)), field(9, bytes)))
}

function value(name: string, type: number, dimensions: number): Uint8Array {
  const shape = Array.from({ length: dimensions }, (_, index) => field(1, field(2, text(`${name}_${index}`))))
  return join(field(1, text(name)), field(2, field(1, join(number(1, type), field(2, join(...shape))))))
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

function f32(...values: number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer)
}

function i64(...values: number[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Buffer.concat(parts)
}
