import type { StageGraph } from '@resultity/model'
import type { Binding } from './binding.ts'
import type { Runtime } from './runtime.ts'
import { NativeTensor } from './tensor.ts'

export interface PositionInputsInit {
  readonly runtime: Runtime
  readonly graph: StageGraph
  /** Positions the cache has room for. */
  readonly capacity: number
  /** Query heads to a KV head. */
  readonly headsPerGroup: number
}

/**
 * How much dearer a position of the cache is when attended by groups than one head's reading of it: measured as 2.6,
 * and rounded up in favour of the runtime's own operator. See docs/engine.md.
 */
const GROUP_COST = 3

/** The inputs that tell a graph where in the cache a run stands. */
export class PositionInputs implements Disposable {
  readonly #init: PositionInputsInit
  readonly #last: NativeTensor<Int32Array>
  readonly #total: NativeTensor<Int32Array>
  readonly #groups:
    | {
        readonly enabled: NativeTensor<Uint8Array>
        readonly position: NativeTensor<BigInt64Array>
        readonly mask: NativeTensor<Float32Array>
      }
    | undefined
  /** Positions that the mask lets through. */
  #unmasked = 0

  constructor(init: PositionInputsInit) {
    this.#init = init
    const { runtime, graph, capacity } = init
    this.#last = new NativeTensor(runtime, new Int32Array(1), [1])
    this.#total = new NativeTensor(runtime, new Int32Array(1), [])
    if (graph.groups === undefined) return
    const closed = new Float32Array(capacity).fill(Number.NEGATIVE_INFINITY)
    this.#groups = {
      enabled: new NativeTensor(runtime, new Uint8Array(1), []),
      position: new NativeTensor(runtime, new BigInt64Array(1), [1]),
      mask: new NativeTensor(runtime, closed, [1, 1, 1, capacity])
    }
  }

  bindTo(binding: Binding): void {
    const { graph } = this.#init
    binding.input(graph.lastPosition, this.#last)
    binding.input(graph.totalPositions, this.#total)
    if (graph.groups === undefined || this.#groups === undefined) return
    binding.input(graph.groups.enabled, this.#groups.enabled)
    binding.input(graph.groups.position, this.#groups.position)
    binding.input(graph.groups.mask, this.#groups.mask)
  }

  /** The next run adds `count` positions and makes the cache `total` long. */
  set(count: number, total: number): void {
    this.#last.data[0] = total - 1
    this.#total.data[0] = total
    if (this.#groups === undefined) return
    const grouped = count === 1 && this.#prefersGroups(total)
    this.#groups.enabled.data[0] = grouped ? 1 : 0
    if (!grouped) return
    this.#groups.position.data[0] = BigInt(total - 1)
    this.#unmask(this.#groups.mask.data, total)
  }

  /**
   * Each head reads the cache up to `total`; a group reads it once, but to its end. Depends on nothing but the session, so
   * that every stage of a route, however the model is cut, decides alike.
   */
  #prefersGroups(total: number): boolean {
    return total * this.#init.headsPerGroup >= GROUP_COST * this.#init.capacity
  }

  #unmask(mask: Float32Array, total: number): void {
    if (total > this.#unmasked) mask.fill(0, this.#unmasked, total)
    else mask.fill(Number.NEGATIVE_INFINITY, total, this.#unmasked)
    this.#unmasked = total
  }

  [Symbol.dispose](): void {
    this.#last[Symbol.dispose]()
    this.#total[Symbol.dispose]()
    this.#groups?.enabled[Symbol.dispose]()
    this.#groups?.position[Symbol.dispose]()
    this.#groups?.mask[Symbol.dispose]()
  }
}
