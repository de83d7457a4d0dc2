import {
  floatRows,
  floatVector,
  plainMatrix,
  planFile,
  type SourceTensor,
  stack,
  type TensorFinder,
  type TensorPlan,
  type WeightFilePlan
} from '@resultity/formats'
import type { AskedWeight } from '../graph/weights.ts'
import { type Naming, publishedName } from './naming.ts'

/** A weight file lists no more tensors. */
const TENSORS_MAX = 64
/** A node fetches files one by one, and goes on with the next where one breaks off. */
const FILE_BYTES_MAX = 512 * 1024 * 1024

/** Finds what a graph asks for, each tensor once. */
export function findWeights(finder: TensorFinder, asked: readonly AskedWeight[], naming: Naming): FoundWeight[] {
  return asked.map(weight => ({ weight, tensor: find(finder, weight, publishedName(naming, weight.name)) }))
}

export interface FoundWeight {
  readonly weight: AskedWeight
  readonly tensor: SourceTensor
}

/**
 * A tensor's innermost dimension is its columns, all others its rows. A product of rows may be published as a convolution of one
 * pixel, and a convolution of one pixel as such a product.
 */
function find(finder: TensorFinder, { kind, dims }: AskedWeight, name: string): SourceTensor {
  if (kind === 'vector') return finder.vector(name, countOf(dims))
  const [rows = 1, columns = 1, height = 1, width = 1] = dims
  const single = height * width === 1 && kind !== 'table'
  if (single && finder.columnsOf(name) === 1) return finder.matrix(name, rows * columns, 1)
  return kind === 'kernel' && !single
    ? finder.matrix(name, rows * columns * height, width)
    : finder.matrix(name, rows, columns)
}

/**
 * Weight files of a component, in the order of its graph, all f32. Half precision would be half as long on the disk; but the runtime
 * widens it when it loads a graph, beside what it packs for this CPU, and a node of Stable Diffusion 1.5 would need 5.8 GB to load
 * what then takes 3.8 GB. Of f32, which it maps, it needs 3.5 GB to load 3.4 GB.
 *
 * @param groupOf tensors of different groups lie in different files
 */
export function planFiles(
  found: readonly FoundWeight[],
  groupOf: (name: string) => string = () => ''
): WeightFilePlan[] {
  const files: FoundWeight[][] = []
  let group: string | undefined
  let bytes = 0
  for (const each of found) {
    const own = groupOf(each.weight.name)
    const size = countOf(each.weight.dims) * Float32Array.BYTES_PER_ELEMENT
    const last = files.at(-1)
    const fits = last !== undefined && group === own && last.length < TENSORS_MAX && bytes + size <= FILE_BYTES_MAX
    if (fits) last.push(each)
    else files.push([each])
    bytes = fits ? bytes + size : size
    group = own
  }
  return files.map(file => planFile(file.map(tensorPlan)))
}

function tensorPlan({ weight, tensor }: FoundWeight): TensorPlan {
  const { name, kind, dims } = weight
  if (kind === 'vector') return floatVector(name, [tensor])
  const [rows = 1, ...inner] = dims
  const matrix = stack(name, [tensor])
  return plainMatrix(matrix, 'f32', [rows, countOf(inner)], () => floatRows(matrix))
}

function countOf(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1)
}
