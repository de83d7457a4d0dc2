import type { ModelConfig } from '@resultity/interface'
import { modelInvalid } from './model-invalid.ts'
import type { LayerTensorName, LayerTensors, SourceTensor } from './model-source.ts'

/** How one file format names the tensors of a Llama. */
export interface TensorNaming {
  readonly embedding: string
  readonly finalNorm: string
  readonly head: string
  layer(index: number, name: LayerTensorName): string
  /** Tensors without weights of ours: what is derived from the configuration. */
  readonly ignored: RegExp
}

export interface NamedTensors {
  readonly names: Iterable<string>
  get(name: string): SourceTensor | undefined
}

/** Finds every tensor of a Llama by its name and checks its shape against what the configuration implies. */
export class LlamaTensors {
  readonly #file: string
  readonly #config: ModelConfig
  readonly #tensors: NamedTensors
  readonly #naming: TensorNaming
  readonly #used = new Set<string>()

  constructor(file: string, config: ModelConfig, tensors: NamedTensors, naming: TensorNaming) {
    this.#file = file
    this.#config = config
    this.#tensors = tensors
    this.#naming = naming
  }

  /** @throws MeshError `model_invalid` for a missing, misshapen or unknown tensor */
  collect(): {
    embedding: SourceTensor
    layers: LayerTensors[]
    finalNorm: SourceTensor
    head: SourceTensor | undefined
  } {
    const { hiddenSize, vocabularySize, layerCount, tiedEmbedding } = this.#config
    const embedding = this.#matrix(this.#naming.embedding, vocabularySize, hiddenSize)
    const layers = Array.from({ length: layerCount }, (_, index) => this.#layer(index))
    const finalNorm = this.#vector(this.#naming.finalNorm, hiddenSize)
    const head = tiedEmbedding ? undefined : this.#matrix(this.#naming.head, vocabularySize, hiddenSize)
    this.#used.add(this.#naming.head)
    this.#refuseUnknown()
    return { embedding, layers, finalNorm, head }
  }

  #layer(index: number): LayerTensors {
    const { hiddenSize, intermediateSize, headCount, kvHeadCount, headDim } = this.#config
    const shapes: Record<LayerTensorName, readonly [number, number] | number> = {
      input_norm: hiddenSize,
      q: [headCount * headDim, hiddenSize],
      k: [kvHeadCount * headDim, hiddenSize],
      v: [kvHeadCount * headDim, hiddenSize],
      output: [hiddenSize, headCount * headDim],
      post_norm: hiddenSize,
      gate: [intermediateSize, hiddenSize],
      up: [intermediateSize, hiddenSize],
      down: [hiddenSize, intermediateSize]
    }
    const find = (name: LayerTensorName): SourceTensor => {
      const shape = shapes[name]
      const inFile = this.#naming.layer(index, name)
      return typeof shape === 'number' ? this.#vector(inFile, shape) : this.#matrix(inFile, shape[0], shape[1])
    }
    return {
      input_norm: find('input_norm'),
      q: find('q'),
      k: find('k'),
      v: find('v'),
      output: find('output'),
      post_norm: find('post_norm'),
      gate: find('gate'),
      up: find('up'),
      down: find('down')
    }
  }

  #vector(name: string, size: number): SourceTensor {
    return this.#matrix(name, 1, size)
  }

  #matrix(name: string, rows: number, columns: number): SourceTensor {
    const tensor = this.#tensors.get(name)
    if (tensor === undefined) throw modelInvalid(this.#file, `tensor "${name}" is missing`)
    if (tensor.rows !== rows || tensor.columns !== columns) {
      throw modelInvalid(
        this.#file,
        `tensor "${name}" is ${tensor.rows} × ${tensor.columns}, the configuration implies ${rows} × ${columns}`
      )
    }
    this.#used.add(name)
    return tensor
  }

  /** A tensor that nobody reads (a bias, a norm on the queries) would silently make other answers. */
  #refuseUnknown(): void {
    for (const name of this.#tensors.names) {
      if (this.#used.has(name) || this.#naming.ignored.test(name)) continue
      throw modelInvalid(
        this.#file,
        `tensor "${name}" has no place in the Llama architecture as supported here`,
        'supported are Llama models without attention or MLP biases, adapters or experts'
      )
    }
  }
}
