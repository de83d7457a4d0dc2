import { type NamedTensors, type SourceTensor, TensorFinder } from '@resultity/formats'
import type { WhisperConfig } from '@resultity/interface'
import { isNorm, type WhisperNaming } from './naming.ts'
import {
  type EndOperand,
  endOperands,
  type LayerOperand,
  type LayerTensors,
  layerOperands,
  type Parts,
  type Side,
  type Table,
  tables,
  type Weighted,
  type WhisperSource
} from './whisper-source.ts'

export interface WhisperTensorsInit {
  /** Names the file in errors. */
  readonly file: string
  readonly config: WhisperConfig
  readonly tensors: NamedTensors
  readonly naming: WhisperNaming
  /** A second name of the embedding, which is passed over. */
  readonly tiedHead: string
}

/** Taps of the convolutions. */
export const KERNEL = 3

/** Finds every tensor of a Whisper by its name, once, and checks its shape against what the configuration implies. */
export class WhisperTensors {
  readonly #init: WhisperTensorsInit
  readonly #finder: TensorFinder

  constructor(init: WhisperTensorsInit) {
    this.#init = init
    this.#finder = new TensorFinder(init.file, init.tensors)
  }

  /** @throws MeshError `model_invalid` for a missing, misshapen or unknown tensor */
  collect(): Omit<WhisperSource, 'config' | keyof Disposable> {
    const { config, tiedHead } = this.#init
    const found = {
      ends: new Map(endOperands.map(operand => [operand, this.#end(operand)] as const)),
      tables: new Map(tables.map(table => [table, this.#table(table)] as const)),
      encoderLayers: this.#layers('encoder', config.encoderLayerCount),
      decoderLayers: this.#layers('decoder', config.decoderLayerCount)
    }
    const hint = 'supported are Whispers as OpenAI and those who trained them further publish them'
    this.#finder.refuseOthers(name => name === tiedHead, 'Whisper', hint)
    return found
  }

  #end(operand: EndOperand): Weighted {
    const { melBins, hiddenSize } = this.#init.config
    const name = this.#init.naming.ends[operand]
    if (isNorm(operand)) return this.#weighted([name], [1, hiddenSize], hiddenSize)
    // its taps are the innermost dimension, and all others are rows
    const inputs = operand === 'conv1' ? melBins : hiddenSize
    return this.#weighted([name], [hiddenSize * inputs, KERNEL], hiddenSize)
  }

  #table(table: Table): SourceTensor {
    const { audioContext, textContext, vocabularySize, hiddenSize } = this.#init.config
    const rows = { audio_positions: audioContext, text_positions: textContext, tokens: vocabularySize }
    return this.#finder.matrix(this.#init.naming.tables[table], rows[table], hiddenSize)
  }

  #layers(side: Side, count: number): LayerTensors[] {
    return Array.from({ length: count }, (_, index) => this.#layer(side, index))
  }

  #layer(side: Side, index: number): LayerTensors {
    const { naming } = this.#init
    const prefix = naming.layer(side, index)
    return new Map(
      layerOperands(side).map(operand => {
        const names = naming.operands[operand].map(name => `${prefix}${name}`)
        const [rows, columns] = this.#shapeOf(operand, side)
        return [operand, this.#weighted(names, [rows, columns], isNorm(operand) ? columns : rows)]
      })
    )
  }

  #shapeOf(operand: LayerOperand, side: Side): readonly [number, number] {
    const { hiddenSize: hidden, encoderFeedForwardSize, decoderFeedForwardSize } = this.#init.config
    const wide = side === 'encoder' ? encoderFeedForwardSize : decoderFeedForwardSize
    if (isNorm(operand)) return [1, hidden]
    switch (operand) {
      case 'qkv':
        return [3 * hidden, hidden]
      case 'cross_kv':
        return [2 * hidden, hidden]
      case 'up':
        return [wide, hidden]
      case 'down':
        return [hidden, wide]
      default:
        return [hidden, hidden]
    }
  }

  /** @param biasSize of all parts together */
  #weighted(names: readonly string[], [rows, columns]: readonly [number, number], biasSize: number): Weighted {
    const { naming } = this.#init
    const share = names.length
    return {
      weight: parts(names, name => this.#finder.matrix(naming.weight(name), rows / share, columns)),
      bias: parts(names, name => {
        const bias = naming.bias(name)
        return bias === undefined ? zeros(name, biasSize / share) : this.#finder.vector(bias, biasSize / share)
      })
    }
  }
}

function parts(names: readonly string[], find: (name: string) => SourceTensor): Parts {
  const [first = '', ...others] = names
  return [find(first), ...others.map(find)]
}

function zeros(name: string, size: number): SourceTensor {
  const rowBytes = size * Float32Array.BYTES_PER_ELEMENT
  return { name, encoding: 'F32', rows: 1, columns: size, rowBytes, read: () => new Uint8Array(rowBytes) }
}
