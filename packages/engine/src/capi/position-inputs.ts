import type { ModelConfig } from '@resultity/interface'
import type { StageGraph } from '@resultity/model'
import type { Binding, Runtime } from '@resultity/onnx-runtime'
import { NativeTensor, type TensorData } from '@resultity/onnx-runtime'

export interface PositionInputsInit {
  readonly runtime: Runtime
  readonly graph: StageGraph
  /** Positions the cache has room for. */
  readonly capacity: number
  readonly config: ModelConfig
}

/** The inputs that tell a graph where in the caches a run of some sessions stands. */
export class PositionInputs implements Disposable {
  readonly #init: PositionInputsInit
  readonly #tensors: DisposableStack
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

  constructor(init: PositionInputsInit, sessions = 1) {
    this.#init = init
    const { runtime, graph, config } = init
    using creating = new DisposableStack()
    const tensor = <Data extends TensorData>(data: Data, shape: readonly number[]): NativeTensor<Data> =>
      creating.use(new NativeTensor(runtime, data, shape))
    this.#last = tensor(new Int32Array(sessions), [sessions])
    this.#total = tensor(new Int32Array(1), [])
    if (graph.groups !== undefined) {
      const closedShape = BigInt64Array.of(1n, BigInt(config.kvHeadCount), 0n, BigInt(headsPerGroup(config)))
      this.#groups = {
        enabled: tensor(new Uint8Array(1), []),
        position: tensor(new BigInt64Array(1), [1]),
        transposedEnd: tensor(new BigInt64Array(1), [1]),
        closedShape: tensor(closedShape, [4])
      }
    }
    this.#tensors = creating.move()
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

  /** The run that begins now makes the cache of one session `total` long, and attends by heads. */
  setHeads(session: number, total: number): void {
    this.#last.data[session] = total - 1
    this.#total.data[0] = session === 0 ? total : Math.max(total, this.#total.data[0] ?? 0)
    if (this.#groups === undefined) return
    const { enabled, position, transposedEnd, closedShape } = this.#groups
    enabled.data[0] = 0
    position.data[0] = 0n
    transposedEnd.data[0] = 0n
    closedShape.data[2] = 0n
  }

  /**
   * The run that begins now adds one position, makes the cache of the only session `total` long, and attends by groups:
   * the values of `transposed` positions are there transposed.
   */
  setGroups(total: number, transposed: number): void {
    this.#last.data[0] = total - 1
    this.#total.data[0] = total
    if (this.#groups === undefined) return
    const { enabled, position, transposedEnd, closedShape } = this.#groups
    enabled.data[0] = 1
    position.data[0] = BigInt(total - 1)
    transposedEnd.data[0] = BigInt(transposed)
    closedShape.data[2] = BigInt(this.#init.capacity - total)
  }

  [Symbol.dispose](): void {
    this.#tensors.dispose()
  }
}

/** Query heads to a KV head. */
export function headsPerGroup({ headCount, kvHeadCount }: ModelConfig): number {
  return headCount / kvHeadCount
}
