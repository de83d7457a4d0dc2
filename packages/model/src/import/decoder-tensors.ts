import {
  isNorm,
  type LayerTensorName,
  layerTensorName,
  layerTensorNames,
  layerTensorShapes,
  type TensorNaming,
  type TensorShape
} from '@resultity/families'
import { type NamedTensors, type SourceTensor, TensorFinder } from '@resultity/formats'
import type { ModelConfig } from '@resultity/interface'
import type { LayerTensors } from './model-source.ts'

export interface DecoderTensorsInit {
  /** Names the file or folder in errors. */
  readonly file: string
  /** The family's, for people. */
  readonly title: string
  readonly config: ModelConfig
  readonly tensors: NamedTensors
  readonly naming: TensorNaming
  /** Added to the weights of every norm. */
  readonly normOffset?: number | undefined
  /** Queries and keys are stored in the order of interleaved rotary pairs. */
  readonly interleaved?: boolean | undefined
}

/** Finds every tensor of a decoder by its family's names and checks its shape against what the configuration implies. */
export class DecoderTensors {
  readonly #init: DecoderTensorsInit
  readonly #finder: TensorFinder
  readonly #shapes: ReadonlyMap<LayerTensorName, TensorShape>

  constructor(init: DecoderTensorsInit) {
    this.#init = init
    this.#finder = new TensorFinder(init.file, init.tensors)
    this.#shapes = layerTensorShapes(init.config)
  }

  /** @throws MeshError `model_invalid` for a missing, misshapen or unknown tensor */
  collect(): {
    embedding: SourceTensor
    layers: LayerTensors[]
    finalNorm: SourceTensor
    head: SourceTensor | undefined
  } {
    const { config, naming, title } = this.#init
    const { hiddenSize, vocabularySize, layerCount, tiedEmbedding } = config
    const embedding = this.#finder.matrix(naming.embedding, vocabularySize, hiddenSize)
    const layers = Array.from({ length: layerCount }, (_, index) => this.#layer(index))
    const finalNorm = this.#withOffset(this.#finder.vector(naming.finalNorm, hiddenSize))
    const head = tiedEmbedding ? undefined : this.#finder.matrix(naming.head, vocabularySize, hiddenSize)
    // a tied head may be in the file all the same
    this.#finder.refuseOthers(
      name => name === naming.head || naming.ignored.test(name),
      title,
      `supported are models of the family as docs/families.md describes it, without adapters`
    )
    return { embedding, layers, finalNorm, head }
  }

  #layer(index: number): LayerTensors {
    const found = new Map<LayerTensorName, SourceTensor>()
    for (const [fileName, names] of this.#byFileName(index)) {
      const shapes = names.map(name => ({ name, ...(this.#shapes.get(name) ?? { rows: 0, columns: 0 }) }))
      const rows = shapes.reduce((sum, shape) => sum + shape.rows, 0)
      const whole = this.#finder.matrix(fileName, rows, shapes[0]?.columns ?? 0)
      let first = 0
      for (const { name, rows } of shapes) {
        found.set(name, this.#prepared(name, names.length === 1 ? whole : rowsOf(whole, first, rows)))
        first += rows
      }
    }
    return found
  }

  /** The layer's tensors by their names in the file; several where the file has them in one matrix. */
  #byFileName(index: number): Map<string, LayerTensorName[]> {
    const { naming } = this.#init
    const names = layerTensorNames.filter(name => this.#shapes.has(name))
    return Map.groupBy(names, name => layerTensorName(naming, index, name) ?? name)
  }

  #prepared(name: LayerTensorName, tensor: SourceTensor): SourceTensor {
    const { interleaved, config } = this.#init
    if (isNorm(name)) return this.#withOffset(tensor)
    return interleaved === true && (name === 'q' || name === 'k')
      ? { ...tensor, interleavedHeadDim: config.headDim }
      : tensor
  }

  #withOffset(norm: SourceTensor): SourceTensor {
    const { normOffset } = this.#init
    return normOffset === undefined ? norm : { ...norm, addend: normOffset }
  }
}

/** Rows `[first, first + rows)` of a matrix as a tensor of its own. */
function rowsOf(matrix: SourceTensor, first: number, rows: number): SourceTensor {
  return { ...matrix, rows, read: (start, count) => matrix.read(first + start, count) }
}
