import { ElementType, GraphWriter, INTEGER_ARITHMETIC } from '@resultity/onnx-graph'

/** Inputs and outputs of each matrix of the probe. */
const WIDTH = 2048
/** Enough matrices that together they fall out of every cache but the largest, as a model's do. */
const MATRICES = 16
const BLOCK_SIZE = 32

/** A graph that multiplies positions by a known number of weights, to measure a machine before it has a model. */
export interface ProbeGraph {
  readonly bytes: Uint8Array
  /** f32 `[1, positions, width]`. */
  readonly input: string
  /** f32 `[1, positions, width]`. */
  readonly output: string
  readonly width: number
  /** Weights a run multiplies by. */
  readonly weightCount: number
}

/** Builds the probe: a chain of 4-bit matrices of fixed pseudo-random values, the operator that models spend most on. */
export function buildProbeGraph(): ProbeGraph {
  const graph = new GraphWriter()
  const blocks = WIDTH / BLOCK_SIZE
  const input = graph.input('input', ElementType.float32, [1, 'positions', WIDTH])
  // one matrix in the file serves all operators: each packs a copy of its own
  const codes = graph.constant('codes', pseudoRandomBytes((WIDTH * WIDTH) / 2), [WIDTH, blocks, BLOCK_SIZE / 2])
  // codes 0…15 less 8 have a deviation of 4.6: with this scale a product has that of its input
  const scale = 1 / (4.6 * Math.sqrt(WIDTH))
  const scales = graph.constant('scales', new Float32Array(WIDTH * blocks).fill(scale), [WIDTH, blocks])
  let value = input
  for (let index = 0; index < MATRICES; index++) {
    value = graph.node('MatMulNBits', `product_${index}`, [value, codes, scales], {
      K: WIDTH,
      N: WIDTH,
      bits: 4,
      block_size: BLOCK_SIZE,
      accuracy_level: INTEGER_ARITHMETIC
    })
  }
  graph.output(value, ElementType.float32, [1, 'positions', WIDTH])
  return { bytes: graph.finish('probe'), input, output: value, width: WIDTH, weightCount: MATRICES * WIDTH * WIDTH }
}

/** The same bytes on every machine: a linear congruential generator (Numerical Recipes' constants). */
function pseudoRandomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count)
  let state = 1
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}
