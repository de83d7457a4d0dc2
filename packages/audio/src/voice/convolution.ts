import { addProduct, addTwoProducts, type Matrix, matrixOf } from './matrix.ts'

/** Steps that a convolution looks at: one before, its own, one behind. */
const TAPS = 3

export interface ConvolutionInit {
  /** f32 [outputs, inputs, 3], as torch has it */
  readonly weight: Float32Array
  /** f32 [outputs] */
  readonly bias: Float32Array
  readonly inputs: number
  readonly stride: number
  /** Steps that come in, without the one of zeros on both sides. */
  readonly stepsIn: number
}

/** A convolution over three steps, with ReLU behind it. What it reads has a step of zeros on both sides. */
export class Convolution {
  readonly #matrix: Matrix
  readonly #bias: Float32Array
  readonly #inputs: number
  readonly #stride: number
  readonly #steps: number
  readonly #firstTap: number
  readonly #out: Float32Array

  constructor({ weight, bias, inputs, stride, stepsIn }: ConvolutionInit) {
    this.#bias = bias
    this.#inputs = inputs
    this.#stride = stride
    this.#steps = Math.ceil(stepsIn / stride)
    // with one step, a tap that meets zeros alone is left out
    this.#firstTap = this.#steps === 1 ? 1 : 0
    const taps = this.#steps === 1 ? Math.min(stepsIn, TAPS - 1) : TAPS
    const valueAt = (row: number, column: number): number => {
      const tap = this.#firstTap + Math.floor(column / inputs)
      return weight[(row * inputs + (column % inputs)) * TAPS + tap] ?? 0
    }
    this.#matrix = matrixOf(bias.length, taps * inputs, valueAt)
    this.#out = new Float32Array((this.#steps + 2) * bias.length)
  }

  /**
   * @param heard f32 [steps + 2, inputs]
   * @returns f32 [steps + 2, outputs] for the next one to read; overwritten by the next call
   */
  run(heard: Float32Array): Float32Array {
    const out = this.#out
    const outputs = this.#bias.length
    const apart = this.#stride * this.#inputs
    const first = this.#firstTap * this.#inputs
    for (let step = 0; step < this.#steps; step++) out.set(this.#bias, (step + 1) * outputs)
    let step = 0
    for (; step + 1 < this.#steps; step += 2) {
      addTwoProducts(this.#matrix, heard, { from: first + step * apart, apart }, out, (step + 1) * outputs)
    }
    if (step < this.#steps) addProduct(this.#matrix, heard, first + step * apart, out, (step + 1) * outputs)
    const end = (this.#steps + 1) * outputs
    for (let at = outputs; at < end; at++) out[at] = Math.max(0, out[at] ?? 0)
    return out
  }
}
