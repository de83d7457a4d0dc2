import { MeshError, type PlainTensor, type WeightFile } from '@resultity/interface'
import { ElementType, type GraphWriter } from '@resultity/onnx-graph'

/** How a graph has a tensor of weights. */
export type WeightKind = 'matrix' | 'kernel' | 'vector' | 'table'

/** A tensor that a graph reads. */
export interface AskedWeight {
  readonly name: string
  readonly kind: WeightKind
  /** Of a matrix `[out, in]`, of a kernel `[out, in, height, width]`, of a table `[rows, columns]`. */
  readonly dims: readonly number[]
}

/** Where a graph gets its weights, by name. */
export interface Weights {
  /** @returns the edge that has the tensor as f32 */
  ask(weight: AskedWeight): string
}

/** Notes what a graph reads, which is what an importer has to find: both follow the one that builds the graph. */
export class NotedWeights implements Weights {
  readonly #asked = new Map<string, AskedWeight>()

  ask(weight: AskedWeight): string {
    this.#asked.set(weight.name, weight)
    return weight.name
  }

  /** In the order of the graph. */
  get asked(): readonly AskedWeight[] {
    return [...this.#asked.values()]
  }
}

export interface LocatedWeightsInit {
  readonly graph: GraphWriter
  readonly files: readonly WeightFile[]
  /** Name of the weight file, relative to the directory the graph is loaded from. */
  weightLocation(file: WeightFile): string
}

interface Located {
  readonly tensor: PlainTensor
  readonly location: string
}

/** The tensors of a component's weight files. */
export class LocatedWeights implements Weights {
  readonly #graph: GraphWriter
  readonly #tensors = new Map<string, Located>()

  /** @throws MeshError `model_invalid` for a tensor that is not f32 */
  constructor({ graph, files, weightLocation }: LocatedWeightsInit) {
    this.#graph = graph
    for (const file of files) {
      const location = weightLocation(file)
      for (const tensor of file.tensors) {
        if ('scales' in tensor || tensor.encoding !== 'f32') {
          throw unfit(`tensor "${tensor.name}" of ${file.sha256} is ${tensor.encoding} and must be f32`)
        }
        this.#tensors.set(tensor.name, { tensor, location })
      }
    }
  }

  /** @throws MeshError `model_invalid` for a tensor that is missing, or has another size */
  ask({ name, dims }: AskedWeight): string {
    const found = this.#tensors.get(name)
    if (found === undefined) throw unfit(`the weight files have no tensor "${name}"`)
    const { tensor, location } = found
    if (countOf(tensor.shape) !== countOf(dims)) {
      throw unfit(`tensor "${name}" is [${tensor.shape.join(', ')}] and should be [${dims.join(', ')}]`)
    }
    return this.#graph.external({
      name,
      elementType: ElementType.float32,
      dims,
      location,
      offset: tensor.data.offset,
      bytes: tensor.data.bytes
    })
  }
}

function countOf(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1)
}

function unfit(message: string): MeshError {
  return new MeshError('model_invalid', message, {
    hint: 'import the model again; its manifest does not fit this version'
  })
}
