import type { ModelConfig } from '@resultity/interface'
import type { LayerTensorName, LayerTensors, SourceTensor } from './model-source.ts'
import { type NamedTensors, TensorFinder } from './tensor-finder.ts'

/** How one file format names the tensors of a Llama. */
export interface TensorNaming {
  readonly embedding: string
  readonly finalNorm: string
  readonly head: string
  layer(index: number, name: LayerTensorName): string
  /** Tensors without weights of ours: what is derived from the configuration. */
  readonly ignored: RegExp
}

/** Finds every tensor of a Llama by its name and checks its shape against what the configuration implies. */
export class LlamaTensors {
  readonly #config: ModelConfig
  readonly #naming: TensorNaming
  readonly #finder: TensorFinder

  constructor(file: string, config: ModelConfig, tensors: NamedTensors, naming: TensorNaming) {
    this.#config = config
    this.#naming = naming
    this.#finder = new TensorFinder(file, tensors)
  }

  /** @throws MeshError `model_invalid` for a missing, misshapen or unknown tensor */
  collect(): {
    embedding: SourceTensor
    layers: LayerTensors[]
    finalNorm: SourceTensor
    head: SourceTensor | undefined
  } {
    const { hiddenSize, vocabularySize, layerCount, tiedEmbedding } = this.#config
    const embedding = this.#finder.matrix(this.#naming.embedding, vocabularySize, hiddenSize)
    const layers = Array.from({ length: layerCount }, (_, index) => this.#layer(index))
    const finalNorm = this.#finder.vector(this.#naming.finalNorm, hiddenSize)
    const head = tiedEmbedding ? undefined : this.#finder.matrix(this.#naming.head, vocabularySize, hiddenSize)
    // a tied head may be in the file all the same
    this.#finder.refuseOthers(
      name => name === this.#naming.head || this.#naming.ignored.test(name),
      'Llama',
      'supported are Llama models without attention or MLP biases, adapters or experts'
    )
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
      return typeof shape === 'number'
        ? this.#finder.vector(inFile, shape)
        : this.#finder.matrix(inFile, shape[0], shape[1])
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
}
