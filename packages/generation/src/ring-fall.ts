import type { MeshError } from '@resultity/interface'

/** Why a ring fell. */
export type Fall =
  /** The stage with this index is gone, or nothing is known but what it reported. */
  | { readonly type: 'stage'; readonly index: number; readonly error: MeshError }
  /** The hop between two stages broke, and both are there. */
  | { readonly type: 'link'; readonly from: number; readonly to: number; readonly error: MeshError }

interface Fault {
  readonly index: number
  readonly error: MeshError
}

/**
 * When one stage of a ring, or a link between two, is lost, the stages fail one after the other: each loses its neighbour.
 * This gathers their reports and tells which stage or link it was. Pure.
 */
export class RingFall {
  readonly #faults: Fault[] = []
  /** Which stage lost which neighbour. */
  readonly #broken = new Map<number, number>()

  /** Whether this stage has reported a fault. */
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

  /** Takes in a fault. @returns false when another stage had reported one before */
  add(index: number, error: MeshError): boolean {
    return this.#faults.push({ index, error }) === 1
  }

  /** @param isThere whether a stage that has not fallen is known to run */
  verdict(isThere: (index: number) => boolean): Fall | undefined {
    // a stage that stops says so
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
