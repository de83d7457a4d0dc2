import {
  floatRows,
  floatVector,
  type Matrix,
  plainMatrix,
  planFile,
  type SourceTensor,
  sourceRows,
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

export interface PlanOptions {
  /** Stores every tensor as f32. */
  readonly dequantize: boolean
}

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
 * Weight files of a component, in the order of its graph.
 *
 * @param groupOf tensors of different groups lie in different files
 */
export function planFiles(
  found: readonly FoundWeight[],
  options: PlanOptions,
  groupOf: (name: string) => string = () => ''
): WeightFilePlan[] {
  const files: FoundWeight[][] = []
  let group: string | undefined
  let bytes = 0
  for (const each of found) {
    const own = groupOf(each.weight.name)
    const size = bytesOf(each, options)
    const last = files.at(-1)
    const fits = last !== undefined && group === own && last.length < TENSORS_MAX && bytes + size <= FILE_BYTES_MAX
    if (fits) last.push(each)
    else files.push([each])
    bytes = fits ? bytes + size : size
    group = own
  }
  return files.map(file => planFile(file.map(each => tensorPlan(each, options))))
}

function tensorPlan({ weight, tensor }: FoundWeight, options: PlanOptions): TensorPlan {
  const { name, kind, dims } = weight
  if (kind === 'vector') return floatVector(name, [tensor])
  const [rows = 1, ...inner] = dims
  const shape = [rows, countOf(inner)]
  const matrix: Matrix = stack(name, [tensor])
  const half = halfOf(tensor, options)
  return half === undefined
    ? plainMatrix(matrix, 'f32', shape, () => floatRows(matrix))
    : plainMatrix(matrix, half, shape, () => sourceRows(matrix))
}

/** Half precision stays as it is published: a node that loads it widens it. */
function halfOf({ encoding }: SourceTensor, { dequantize }: PlanOptions): 'f16' | 'bf16' | undefined {
  if (dequantize) return undefined
  return encoding === 'F16' ? 'f16' : encoding === 'BF16' ? 'bf16' : undefined
}

function bytesOf({ weight, tensor }: FoundWeight, options: PlanOptions): number {
  const wide = weight.kind === 'vector' || halfOf(tensor, options) === undefined
  return countOf(weight.dims) * (wide ? 4 : 2)
}

function countOf(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1)
}
