import type { MeshError } from '@resultity/interface'

/** What a ring fell with. */
export type Fall =
  /** Its stage with this index went, or what it reported is all that is known. */
  | { readonly type: 'stage'; readonly index: number; readonly error: MeshError }
  /** The hop between two stages broke, and both are there. */
  | { readonly type: 'link'; readonly from: number; readonly to: number; readonly error: MeshError }

interface Fault {
  readonly index: number
  readonly error: MeshError
}

/**
 * Stages of a ring fall one after the other when one of them, or a link between two, is lost: each loses its neighbour.
 * Gathers what they say and tells which it was. Pure.
 */
export class RingFall {
  readonly #faults: Fault[] = []
  /** Which stage lost which neighbour. */
  readonly #broken = new Map<number, number>()

  /** Stages that have reported a fault: that their streams end after it says nothing new. */
  has(index: number): boolean {
    return this.#faults.some(fault => fault.index === index)
  }

  get begun(): boolean {
    return this.#faults.length > 0
  }

  /** The stage `from` says that its hop with `to` broke. A fault of it follows. */
  broke(from: number, to: number): void {
    this.#broken.set(from, to)
  }

  /** Whether a stage fell because of another. */
  isNeighbours(index: number): boolean {
    return this.#broken.has(index)
  }

  /** @returns false when another had fallen before */
  add(index: number, error: MeshError): boolean {
    return this.#faults.push({ index, error }) === 1
  }

  /** @param isThere whether a stage that has not fallen is known to run */
  verdict(isThere: (index: number) => boolean): Fall | undefined {
    // one that stops says so
    const stopped = this.#faults.find(({ error }) => error.code === 'unavailable')
    const first = stopped ?? this.#faults[0]
    if (first === undefined) return undefined
    const { index, error } = first
    const lost = this.#broken.get(index)
    if (stopped !== undefined || lost === undefined) return { type: 'stage', index, error }
    if (this.has(lost) || isThere(lost)) return { type: 'link', from: index, to: lost, error }
    return { type: 'stage', index: lost, error }
  }
}
