import type { ModelConfig } from '@resultity/interface'
import type { StageGraph } from '@resultity/model'
import type { Binding } from './binding.ts'
import type { Runtime } from './runtime.ts'
import { NativeTensor } from './tensor.ts'

export interface PositionInputsInit {
  readonly runtime: Runtime
  readonly graph: StageGraph
  /** Positions the cache has room for. */
  readonly capacity: number
  readonly config: ModelConfig
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
        readonly transposedEnd: NativeTensor<BigInt64Array>
        readonly closedShape: NativeTensor<BigInt64Array>
      }
    | undefined
  /** Positions from the first on whose values are the same in both caches. */
  #transposed = 0

  constructor(init: PositionInputsInit) {
    this.#init = init
    const { runtime, graph, config } = init
    this.#last = new NativeTensor(runtime, new Int32Array(1), [1])
    this.#total = new NativeTensor(runtime, new Int32Array(1), [])
    if (graph.groups === undefined) return
    const closedShape = BigInt64Array.of(1n, BigInt(config.kvHeadCount), 0n, BigInt(this.#headsPerGroup))
    this.#groups = {
      enabled: new NativeTensor(runtime, new Uint8Array(1), []),
      position: new NativeTensor(runtime, new BigInt64Array(1), [1]),
      transposedEnd: new NativeTensor(runtime, new BigInt64Array(1), [1]),
      closedShape: new NativeTensor(runtime, closedShape, [4])
    }
  }

  bindTo(binding: Binding): void {
    const { graph } = this.#init
    binding.input(graph.lastPosition, this.#last)
    binding.input(graph.totalPositions, this.#total)
    if (graph.groups === undefined || this.#groups === undefined) return
    binding.input(graph.groups.enabled, this.#groups.enabled)
    binding.input(graph.groups.position, this.#groups.position)
    binding.input(graph.groups.transposedEnd, this.#groups.transposedEnd)
    binding.input(graph.groups.closedShape, this.#groups.closedShape)
  }

  /** The run that begins now adds `count` positions and makes the cache `total` long. */
  set(count: number, total: number): void {
    this.#last.data[0] = total - 1
    this.#total.data[0] = total
    if (this.#groups === undefined) return
    const { enabled, position, transposedEnd, closedShape } = this.#groups
    const grouped = count === 1 && this.#prefersGroups(total)
    const transposed = Math.min(this.#transposed, total - count)
    enabled.data[0] = grouped ? 1 : 0
    position.data[0] = BigInt(total - count)
    transposedEnd.data[0] = BigInt(transposed)
    closedShape.data[2] = grouped ? BigInt(this.#init.capacity - total) : 0n
    this.#transposed = grouped ? total : transposed
  }

  get #headsPerGroup(): number {
    const { headCount, kvHeadCount } = this.#init.config
    return headCount / kvHeadCount
  }

  /**
   * Each head reads the cache up to `total`; a group reads it once, but to its end. Depends on nothing but the session, so
   * that every stage of a route, however the model is cut, decides alike.
   */
  #prefersGroups(total: number): boolean {
    return total * this.#headsPerGroup >= GROUP_COST * this.#init.capacity
  }

  [Symbol.dispose](): void {
    this.#last[Symbol.dispose]()
    this.#total[Symbol.dispose]()
    this.#groups?.enabled[Symbol.dispose]()
    this.#groups?.position[Symbol.dispose]()
    this.#groups?.transposedEnd[Symbol.dispose]()
    this.#groups?.closedShape[Symbol.dispose]()
  }
}
