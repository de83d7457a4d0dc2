import { type NamedTensors, type SourceTensor, TensorFinder } from '@resultity/formats'
import type { Operand, Parts } from './blip-source.ts'

export type Shape = readonly [rows: number, columns: number]

/** Finds tensors by their names, each once, and says how each is used. All throw MeshError `model_invalid` for one that is missing or of another shape. */
export class OperandFinder {
  readonly #finder: TensorFinder

  /** @param file names it in errors */
  constructor(file: string, tensors: NamedTensors) {
    this.#finder = new TensorFinder(file, tensors)
  }

  /** A convolution of three colours over squares that do not overlap. */
  patches(theirs: string, outputs: number, side: number): Operand {
    // the innermost dimension of a convolution counts as columns, and all others as rows
    return this.table('patch', theirs, [outputs * 3 * side, side])
  }

  /** A matrix of parts that lie one below the other, and its bias. */
  weighted(name: string, theirs: readonly string[], [rows, columns]: Shape): Operand[] {
    const share = rows / theirs.length
    const parts = partsOf(theirs, each => this.#finder.matrix(`${each}.weight`, share, columns))
    const biases = theirs.map(each => `${each}.bias`)
    return [{ name, use: 'matrix', parts }, this.vector(`${name}_bias`, biases, rows)]
  }

  /** A matrix without a bias. */
  matrix(name: string, theirs: string, [rows, columns]: Shape): Operand {
    return { name, use: 'matrix', parts: [this.#finder.matrix(theirs, rows, columns)] }
  }

  norm(name: string, theirs: string, size: number): Operand[] {
    return [this.vector(name, [`${theirs}.weight`], size), this.vector(`${name}_bias`, [`${theirs}.bias`], size)]
  }

  vector(name: string, theirs: readonly string[], size: number): Operand {
    const parts = partsOf(theirs, each => this.#finder.vector(each, size / theirs.length))
    return { name, use: 'vector', parts }
  }

  table(name: string, theirs: string, [rows, columns]: Shape): Operand {
    return { name, use: 'table', parts: [this.#finder.matrix(theirs, rows, columns)] }
  }

  /** As `TensorFinder.refuseOthers`. */
  refuseOthers(ignored: (name: string) => boolean, architecture: string, hint: string): void {
    this.#finder.refuseOthers(ignored, architecture, hint)
  }
}

function partsOf(names: readonly string[], find: (name: string) => SourceTensor): Parts {
  const [first = '', ...others] = names
  return [find(first), ...others.map(find)]
}
