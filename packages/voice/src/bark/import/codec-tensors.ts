import type { NamedTensors, SourceTensor, TensorFinder } from '@resultity/formats'
import type { BarkConfig } from '@resultity/interface'
import type { Operand, Parts } from './bark-source.ts'
import { foldedWeights, partOf, rowsOf } from './derived-tensors.ts'

const DECODER = 'codec_model.decoder.layers.'

/** Gates of a recurrent layer as ONNX has them (input, output, forget, cell), by their places as torch has them (i, f, g, o). */
const GATES = [0, 3, 1, 2] as const

/** The tensors of EnCodec's decoder: convolutions of one piece each, and gates in ONNX's order. */
export class CodecTensors {
  readonly #codec: BarkConfig['codec']
  readonly #finder: TensorFinder
  readonly #tensors: NamedTensors

  constructor(codec: BarkConfig['codec'], finder: TensorFinder, tensors: NamedTensors) {
    this.#codec = codec
    this.#finder = finder
    this.#tensors = tensors
  }

  /** @throws MeshError `model_invalid` for a missing or misshapen tensor */
  collect(codebookCount: number): Operand[] {
    const { ratios, filterCount, hiddenSize, kernelSize, lastKernelSize, residualCount, recurrentCount } = this.#codec
    let channels = filterCount * 2 ** ratios.length
    const operands = [
      this.#codes(codebookCount),
      ...this.#convolution('first', `${DECODER}0`, channels, hiddenSize, kernelSize)
    ]
    for (let layer = 0; layer < recurrentCount; layer++) operands.push(...this.#recurrent(layer, channels))
    // between two parts is an activation, which has a number too
    let at = 2
    for (const [index, ratio] of ratios.entries()) {
      operands.push(
        ...this.#convolution(`up_${index}`, `${DECODER}${at + 1}`, channels, channels / 2, 2 * ratio, channels / 2)
      )
      channels /= 2
      for (let unit = 0; unit < residualCount; unit++) {
        operands.push(...this.#unit(`unit_${index}_${unit}`, `${DECODER}${at + 2 + unit}`, channels))
      }
      at += 2 + residualCount
    }
    return [...operands, ...this.#convolution('last', `${DECODER}${at + 1}`, 1, channels, lastKernelSize)]
  }

  /** Codes of those codebooks that are written: a codec may have more. */
  #codes(count: number): Operand {
    const { codebookSize, hiddenSize } = this.#codec
    const book = (index: number): SourceTensor =>
      this.#finder.matrix(`codec_model.quantizer.layers.${index}.codebook.embed`, codebookSize, hiddenSize)
    // the others are looked at, so that they are none that nobody knows
    for (
      let index = count;
      this.#tensors.get(`codec_model.quantizer.layers.${index}.codebook.embed`) !== undefined;
      index++
    )
      book(index)
    return {
      name: 'codes',
      use: 'table',
      parts: [book(0), ...Array.from({ length: count - 1 }, (_, index) => book(index + 1))]
    }
  }

  #unit(name: string, theirs: string, channels: number): Operand[] {
    const within = Math.floor(channels / this.#codec.compress)
    return [
      ...this.#convolution(`${name}_in`, `${theirs}.block.1`, within, channels, this.#codec.residualKernelSize),
      ...this.#convolution(`${name}_out`, `${theirs}.block.3`, channels, within, 1),
      ...(this.#codec.shortcut ? this.#convolution(`${name}_past`, `${theirs}.shortcut`, channels, channels, 1) : [])
    ]
  }

  /** @param biasSize default `outer`; of a transposed one the outer dimension is the input's */
  #convolution(
    name: string,
    theirs: string,
    outer: number,
    inner: number,
    kernelSize: number,
    biasSize = outer
  ): Operand[] {
    const [length, direction] = this.#normalization(`${theirs}.conv`)
    const weights = foldedWeights(
      this.#finder.matrix(direction, outer * inner, kernelSize),
      this.#finder.matrix(length, outer, 1),
      outer
    )
    const bias = this.#finder.vector(`${theirs}.conv.bias`, biasSize)
    return [
      { name, use: 'table', parts: [weights] },
      { name: `${name}_bias`, use: 'vector', parts: [bias] }
    ]
  }

  /** Names of length and direction: torch 2 has others for them than torch 1. */
  #normalization(theirs: string): [length: string, direction: string] {
    const later = `${theirs}.parametrizations.weight.original`
    if (this.#tensors.get(`${later}1`) !== undefined) return [`${later}0`, `${later}1`]
    return [`${theirs}.weight_g`, `${theirs}.weight_v`]
  }

  #recurrent(layer: number, size: number): Operand[] {
    const of = (kind: string): string => `${DECODER}1.lstm.${kind}_l${layer}`
    const gates = (name: string): Parts => {
      const matrix = this.#finder.matrix(name, 4 * size, size)
      const [first, ...others] = GATES.map(gate => rowsOf(matrix, gate * size, size))
      return [first ?? matrix, ...others]
    }
    const biases = ['bias_ih', 'bias_hh'].flatMap(kind => {
      const vector = this.#finder.vector(of(kind), 4 * size)
      return GATES.map(gate => partOf(vector, gate * size, size))
    })
    const [first, ...others] = biases
    const name = `recurrent_${layer}`
    return [
      { name: `${name}_input`, use: 'table', parts: gates(of('weight_ih')) },
      { name: `${name}_state`, use: 'table', parts: gates(of('weight_hh')) },
      { name: `${name}_bias`, use: 'vector', parts: [first ?? this.#finder.vector(of('bias_ih'), 4 * size), ...others] }
    ]
  }
}
