import type { BarkConfig } from '@resultity/interface'
import { ElementType, floatInitializer, GraphWriter, type LocatedFile, requirePlain } from '@resultity/onnx-graph'
import { type BarkGraphInit, locatedPart } from './located-bark.ts'

/** What makes samples of codes, as an ONNX model. */
export interface BarkCodecGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** int32 `[frames, books]`: of each frame a row of the table for each codebook. */
  readonly rows: string
  /** f32 `[1, 1, samples]`. */
  readonly samples: string
  /** Outputs, where every state was asked for: f32 `[1, channels, length]` behind each part, activations left out. */
  readonly states: readonly string[]
}

/** A convolution's sizes. */
interface ConvolutionInit {
  readonly name: string
  readonly outputs: number
  readonly inputs: number
  readonly kernelSize: number
  readonly dilation?: number
  /** The shortest that comes in. */
  readonly lengthMin: number
}

/**
 * Builds EnCodec's decoder (Défossez et al., arXiv:2210.13438): convolutions that see what was before, two recurrent layers, and
 * parts that make it longer, each with residual units behind.
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildBarkCodecGraph(init: BarkGraphInit): BarkCodecGraph {
  const { codec, fine } = init.manifest.config
  const { ends } = locatedPart(init, 'codec')
  return new CodecWriter(codec, ends).write(`${init.manifest.name} codec`, fine.codebookCount, init.everyState === true)
}

class CodecWriter {
  readonly #graph = new GraphWriter()
  readonly #codec: BarkConfig['codec']
  readonly #located: LocatedFile
  readonly #states: string[] = []

  constructor(codec: BarkConfig['codec'], located: LocatedFile) {
    this.#codec = codec
    this.#located = located
  }

  write(name: string, books: number, everyState: boolean): BarkCodecGraph {
    const graph = this.#graph
    const { ratios, filterCount, hiddenSize, kernelSize, lastKernelSize, recurrentCount, residualCount } = this.#codec
    const rows = graph.input('rows', ElementType.int32, ['frames', books])
    const found = graph.node('Gather', 'code_rows', [this.#plain('codes'), rows], { axis: 0 })
    const summed = graph.node('ReduceSum', 'code_sums', [found, this.#axis(1)], { keepdims: 0 })
    const turned = graph.node('Transpose', 'code_channels', [summed], { perm: [1, 0] })
    const codes = graph.node('Unsqueeze', 'code_batch', [turned, this.#axis(0)])
    let channels = filterCount * 2 ** ratios.length
    let lengthMin = 1
    let hidden = this.#convolve(codes, { name: 'first', outputs: channels, inputs: hiddenSize, kernelSize, lengthMin })
    this.#states.push(hidden)
    hidden = this.#recur(hidden, recurrentCount, channels)
    this.#states.push(hidden)
    for (const [index, ratio] of ratios.entries()) {
      hidden = this.#lengthen(this.#activate(hidden, `up_${index}`), `up_${index}`, channels, ratio)
      this.#states.push(hidden)
      channels /= 2
      lengthMin *= ratio
      for (let unit = 0; unit < residualCount; unit++) {
        hidden = this.#unit(hidden, `unit_${index}_${unit}`, {
          channels,
          lengthMin,
          dilation: this.#codec.dilationGrowth ** unit
        })
        this.#states.push(hidden)
      }
    }
    const last = { name: 'last', outputs: 1, inputs: channels, kernelSize: lastKernelSize, lengthMin }
    const samples = this.#convolve(this.#activate(hidden, 'last'), last)
    graph.output(samples, ElementType.float32, [1, 1, 'samples'])
    if (everyState) {
      for (const [index, state] of this.#states.entries())
        graph.output(state, ElementType.float32, [1, `channels_${index}`, `length_${index}`])
    }
    return { bytes: graph.finish(name), rows, samples, states: this.#states }
  }

  #unit(
    input: string,
    name: string,
    {
      channels,
      lengthMin,
      dilation
    }: { readonly channels: number; readonly lengthMin: number; readonly dilation: number }
  ): string {
    const { residualKernelSize, compress, shortcut } = this.#codec
    const within = Math.floor(channels / compress)
    const first = {
      name: `${name}_in`,
      outputs: within,
      inputs: channels,
      kernelSize: residualKernelSize,
      dilation,
      lengthMin
    }
    const inside = this.#convolve(this.#activate(input, first.name), first)
    const second = { name: `${name}_out`, outputs: channels, inputs: within, kernelSize: 1, lengthMin }
    const outside = this.#convolve(this.#activate(inside, second.name), second)
    const third = { name: `${name}_past`, outputs: channels, inputs: channels, kernelSize: 1, lengthMin }
    return this.#graph.node('Add', `${name}_sum`, [shortcut ? this.#convolve(input, third) : input, outside])
  }

  #activate(input: string, name: string): string {
    return this.#graph.node('Elu', `${name}_active`, [input])
  }

  #convolve(input: string, { name, outputs, inputs, kernelSize, dilation = 1, lengthMin }: ConvolutionInit): string {
    const padded = this.#reflected(input, name, (kernelSize - 1) * dilation, lengthMin)
    const weights = this.#weights(name, [outputs, inputs, kernelSize])
    const attributes = { kernel_shape: [kernelSize], dilations: [dilation] }
    return this.#graph.node('Conv', `${name}_out`, [padded, weights, this.#plain(`${name}_bias`)], attributes)
  }

  /**
   * With its beginning before it, mirrored. Where there is less than that is mirrored, zeros stand behind it, as in the reference.
   *
   * @param lengthMin the shortest that comes in
   */
  #reflected(input: string, name: string, count: number, lengthMin: number): string {
    if (count === 0) return input
    const graph = this.#graph
    const long = lengthMin > count ? input : this.#withZeros(input, name, count)
    const bounds = [count, 0].map(at => graph.constant(`at_${at}`, BigInt64Array.of(BigInt(at)), [1]))
    const back = graph.constant('back', BigInt64Array.of(-1n), [1])
    const mirrored = graph.node('Slice', `${name}_mirrored`, [long, ...bounds, this.#axis(2), back])
    return graph.node('Concat', `${name}_padded`, [mirrored, input], { axis: 2 })
  }

  #withZeros(input: string, name: string, count: number): string {
    const behind = this.#graph.constant(`${name}_behind`, BigInt64Array.of(0n, BigInt(count)), [2])
    return this.#graph.node('Pad', `${name}_long`, [input, behind, '', this.#axis(2)])
  }

  #lengthen(input: string, name: string, channels: number, ratio: number): string {
    const right = Math.ceil(ratio * this.#codec.trimRight)
    const weights = this.#weights(name, [channels, channels / 2, 2 * ratio])
    const attributes = { kernel_shape: [2 * ratio], strides: [ratio], pads: [ratio - right, right] }
    return this.#graph.node('ConvTranspose', `${name}_out`, [input, weights, this.#plain(`${name}_bias`)], attributes)
  }

  /** Recurrent layers (Hochreiter & Schmidhuber, 1997), and what came in added to what comes out. */
  #recur(input: string, count: number, channels: number): string {
    const graph = this.#graph
    const begun = graph.node('Transpose', 'recurrent_in', [input], { perm: [2, 0, 1] })
    let hidden = begun
    for (let layer = 0; layer < count; layer++) {
      const name = `recurrent_${layer}`
      const matrices = ['input', 'state'].map(kind => this.#weights(`${name}_${kind}`, [1, 4 * channels, channels]))
      const bias = this.#weights(`${name}_bias`, [1, 8 * channels])
      const given = graph.node('LSTM', `${name}_out`, [hidden, ...matrices, bias], { hidden_size: channels })
      hidden = graph.node('Squeeze', `${name}_flat`, [given, this.#axis(1)])
    }
    const sum = graph.node('Add', 'recurrent_sum', [begun, hidden])
    return graph.node('Transpose', 'recurrent_out', [sum], { perm: [1, 2, 0] })
  }

  #plain(name: string): string {
    return floatInitializer(this.#graph, this.#located, requirePlain(this.#located, name))
  }

  /** A tensor as its operator reads it: files have two dimensions at the most. */
  #weights(name: string, dims: readonly number[]): string {
    const { location, prefix } = this.#located
    const { data } = requirePlain(this.#located, name)
    return this.#graph.external({
      name: `${prefix}${name}`,
      elementType: ElementType.float32,
      dims,
      location,
      offset: data.offset,
      bytes: data.bytes
    })
  }

  #axis(axis: number): string {
    return this.#graph.constant(`axis_${axis}`, BigInt64Array.of(BigInt(axis)), [1])
  }
}
