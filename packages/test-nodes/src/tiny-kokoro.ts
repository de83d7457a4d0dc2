import {
  attribute,
  constant,
  FLOAT32,
  f32,
  field,
  INT64,
  i64,
  model,
  operator,
  opset,
  text,
  value
} from './onnx-writer.ts'

/**
 * A model of Kokoro's form without weights: it says each phoneme as a tone, {@link TINY_KOKORO_SAMPLES} samples long at the usual
 * speed, on top of a level that the style's first number makes. Its graph is
 * `sin(tile(tokens · 0.05, samples / speed)) + gelu(style[0])`, with an operator of ONNX Runtime's own.
 */
export interface TinyKokoro {
  readonly onnx: Uint8Array
  /** The text of its `vocab.json`. */
  readonly vocabulary: string
  /** Tables by name of speaker: {@link TINY_STYLE_ROWS} rows of 256 numbers, f32. The first of row `n` is `level + n / 1024`. */
  readonly voices: Readonly<Record<string, Uint8Array>>
}

/** Samples of one phoneme id. */
export const TINY_KOKORO_SAMPLES = 30

/** Styles of each speaker. */
export const TINY_STYLE_ROWS = 6

const STYLE_SIZE = 256

/** Speakers, each with the level of its styles. */
const levels: Readonly<Record<string, number>> = { bm_ben: 2, af_anna: 0, af_heart: 1, jf_alpha: 3 }

export interface TinyKokoroInit {
  /** Bytes of one node more. */
  readonly node?: Uint8Array
  /** Bytes of the protobuf message behind the model's own fields. */
  readonly more?: Uint8Array
}

export function tinyKokoro({ node, more }: TinyKokoroInit = {}): TinyKokoro {
  const nodes = [
    operator('Cast', ['tokens'], 'ids', attribute('to', FLOAT32)),
    operator('Mul', ['ids', 'pitch'], 'tones'),
    operator('Div', ['samples', 'speed'], 'repeats'),
    operator('Cast', ['repeats'], 'times', attribute('to', INT64)),
    operator('Concat', ['first', 'times'], 'tiling', attribute('axis', 0)),
    operator('Tile', ['tones', 'tiling'], 'long'),
    operator('Sin', ['long'], 'waves'),
    operator('Squeeze', ['waves', 'axis'], 'wave'),
    operator('Slice', ['style', 'from', 'to', 'last'], 'head'),
    operator('Squeeze', ['head', 'axis'], 'number'),
    // FastGelu of the domain that is ONNX Runtime's own
    field(1, runtimeNode('FastGelu', 'number', 'level')),
    operator('Add', ['wave', 'level'], 'audio'),
    ...(node === undefined ? [] : [field(1, node)])
  ]
  const constants = [
    constant('pitch', FLOAT32, [1], f32(0.05)),
    constant('samples', FLOAT32, [1], f32(TINY_KOKORO_SAMPLES)),
    constant('first', INT64, [1], i64(1)),
    constant('axis', INT64, [1], i64(0)),
    constant('from', INT64, [1], i64(0)),
    constant('to', INT64, [1], i64(1)),
    constant('last', INT64, [1], i64(1))
  ]
  const inputs = [value('tokens', INT64, 2), value('style', FLOAT32, 2), value('speed', FLOAT32, 1)]
  const domains = ['com.microsoft', 'ai.onnx.ml'].map(domain => opset(domain, 1))
  const onnx = model({
    name: 'kokoro',
    nodes,
    constants,
    inputs,
    output: value('audio', FLOAT32, 1),
    more: Buffer.concat([...domains, more ?? new Uint8Array()])
  })
  return {
    onnx,
    vocabulary: JSON.stringify({ vocab: Object.fromEntries(Array.from(letters, (letter, at) => [letter, at + 1])) }),
    voices: Object.fromEntries(Object.entries(levels).map(([name, level]) => [name, styles(level)]))
  }
}

const letters = ';:,.!? AIOQTWYabdefhijklmnpstuvwzæðŋɑɔəɛɜɡɪɹʃʊʌʒʤʧθᵊᵻˈˌː'

function runtimeNode(type: string, input: string, output: string): Uint8Array {
  const fields = [field(1, text(input)), field(2, text(output)), field(4, text(type)), field(7, text('com.microsoft'))]
  return Buffer.concat(fields)
}

function styles(level: number): Uint8Array {
  const table = new Float32Array(TINY_STYLE_ROWS * STYLE_SIZE)
  for (let row = 0; row < TINY_STYLE_ROWS; row++) table[row * STYLE_SIZE] = level + row / 1024
  return new Uint8Array(table.buffer)
}
