import { modelInvalid } from '@resultity/interface'
import type { SourceTensor } from './source-tensor.ts'

export interface NamedTensors {
  readonly names: Iterable<string>
  get(name: string): SourceTensor | undefined
}

/** Finds a model's tensors by name, checks their shapes, and remembers which were asked for. */
export class TensorFinder {
  readonly #file: string
  readonly #tensors: NamedTensors
  readonly #used = new Set<string>()

  constructor(file: string, tensors: NamedTensors) {
    this.#file = file
    this.#tensors = tensors
  }

  vector(name: string, size: number): SourceTensor {
    return this.matrix(name, 1, size)
  }

  /** The innermost dimension of a tensor; undefined where it is missing. */
  columnsOf(name: string): number | undefined {
    return this.#tensors.get(name)?.columns
  }

  /** @throws MeshError `model_invalid` when it is missing or of another shape */
  matrix(name: string, rows: number, columns: number): SourceTensor {
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

  /**
   * Refuses tensors that nobody asked for: one that is not read (a bias, a norm on the queries) would silently make
   * other answers.
   *
   * @throws MeshError `model_invalid`
   */
  refuseOthers(ignored: (name: string) => boolean, architecture: string, hint: string): void {
    for (const name of this.#tensors.names) {
      if (this.#used.has(name) || ignored(name) || this.#changesNothing(name)) continue
      throw modelInvalid(
        this.#file,
        `tensor "${name}" has no place in the ${architecture} architecture as supported here`,
        hint
      )
    }
  }

  /** A tensor without numbers, and a bias that adds nothing. */
  #changesNothing(name: string): boolean {
    const tensor = this.#tensors.get(name)
    if (tensor === undefined || tensor.rows * tensor.columns === 0) return true
    if (!name.endsWith('.bias') || tensor.rows !== 1) return false
    return tensor.read(0, 1).every(byte => byte === 0)
  }
}
