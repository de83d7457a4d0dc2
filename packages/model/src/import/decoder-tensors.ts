import {
  expertTensorName,
  isNorm,
  type LayerTensorName,
  layerTensorName,
  layerTensorNames,
  layerTensorShapes,
  type TensorNaming,
  type TensorShape
} from '@resultity/families'
import { type NamedTensors, type SourceTensor, TensorFinder } from '@resultity/formats'
import { expertsOf, type ModelConfig } from '@resultity/interface'
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

/** A tensor of a layer, and what it has to look like. */
interface NamedShape extends TensorShape {
  readonly name: LayerTensorName
}

/** Finds every tensor of a decoder by its family's names and checks its shape against what the configuration implies. */
export class DecoderTensors {
  readonly #init: DecoderTensorsInit
  readonly #finder: TensorFinder

  constructor(init: DecoderTensorsInit) {
    this.#init = init
    this.#finder = new TensorFinder(init.file, init.tensors)
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
    const { config, naming } = this.#init
    const shapes = layerTensorShapes(config, index)
    const names = layerTensorNames.filter(name => shapes.has(name))
    const found = new Map<LayerTensorName, SourceTensor[]>(names.map(name => [name, []]))
    // several where the file has them in one matrix
    for (const [fileName, together] of Map.groupBy(names, name => layerTensorName(naming, index, name) ?? name)) {
      const wanted = together.map(name => ({ name, rows: 0, columns: 0, ...shapes.get(name) }))
      for (const { name, tensor } of this.#found(fileName, wanted)) found.get(name)?.push(this.#prepared(name, tensor))
    }
    return found
  }

  /** What the file has by this name, taken apart: one behind the other, and so for each expert. */
  *#found(fileName: string, wanted: readonly NamedShape[]): Generator<{ name: LayerTensorName; tensor: SourceTensor }> {
    const { count = 1, columns } = wanted[0] ?? { columns: 0 }
    const rows = wanted.reduce((sum, shape) => sum + shape.rows, 0)
    for (let expert = 0; expert < count; expert++) {
      const own = expertTensorName(fileName, expert)
      const matrix = this.#finder.matrix(own ?? fileName, own === undefined ? count * rows : rows, columns)
      let first = own === undefined ? expert * rows : 0
      for (const { name, rows } of wanted) {
        yield { name, tensor: rows === matrix.rows ? matrix : rowsOf(matrix, first, rows) }
        first += rows
      }
    }
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

/**
 * The names by which the file has the embedding and the experts, of those that a family's files have; the first where none fits.
 */
export function namingOf(
  tensors: NamedTensors,
  config: ModelConfig,
  [first, ...others]: readonly [TensorNaming, ...TensorNaming[]]
): TensorNaming {
  const names = new Set(tensors.names)
  const layers = Array.from({ length: config.layerCount }, (_, layer) => layer)
  const routed = layers.find(layer => expertsOf(config, layer) !== undefined)
  const fits = (naming: TensorNaming): boolean => {
    if (!names.has(naming.embedding)) return false
    const down = routed === undefined ? undefined : layerTensorName(naming, routed, 'expert_down')
    return down === undefined || names.has(expertTensorName(down, 0) ?? down)
  }
  return [first, ...others].find(fits) ?? first
}

/** Rows `[first, first + rows)` of a matrix as a tensor of its own. */
function rowsOf(matrix: SourceTensor, first: number, rows: number): SourceTensor {
  const { rowBytes, extent: whole } = matrix
  const extent = whole && { ...whole, offset: whole.offset + first * rowBytes, bytes: rows * rowBytes }
  return { ...matrix, rows, ...(extent && { extent }), read: (start, count) => matrix.read(first + start, count) }
}
