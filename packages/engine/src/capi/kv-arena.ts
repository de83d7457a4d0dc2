import type { ModelConfig } from '@resultity/interface'
import type { CacheEdge, StageGraph } from '@resultity/model'
import type { Runtime } from '@resultity/onnx-runtime'
import { NativeHandle, NativeTensor } from '@resultity/onnx-runtime'

export interface KvArenaInit {
  readonly runtime: Runtime
  readonly graph: StageGraph
  readonly config: ModelConfig
  /** Sessions it has room for. */
  readonly rows: number
  /** Positions of each. */
  readonly capacity: number
}

/** An edge of the graph, and rows of the cache to bind to it. */
export interface BoundCache {
  readonly edge: CacheEdge
  readonly tensor: NativeTensor<Float32Array<ArrayBuffer>>
}

/** The caches of all sessions for one edge of the graph. */
interface Plane {
  readonly edge: CacheEdge
  readonly data: Float32Array<ArrayBuffer>
  /** Of one row: KV heads, and positions behind or before the numbers of a head. */
  readonly shape: readonly [heads: number, rows: number, columns: number]
  readonly positions: 'rows' | 'columns'
  readonly memory: NativeHandle
}

/** Numbers that are copied at once: some tenths of a millisecond. */
const PIECE_NUMBERS = 2 ** 18

/**
 * The KV caches of a stage, one row for each session, so that rows that lie side by side are one tensor of a batch.
 *
 * Memory is zero-filled by the system when first touched: rows without a session, and positions that no session has
 * reached, cost nothing.
 */
export class KvArena implements Disposable {
  readonly rows: number
  readonly #runtime: Runtime
  readonly #planes: readonly Plane[]

  /** @throws RangeError when there is no memory for it */
  constructor({ runtime, graph, config, rows, capacity }: KvArenaInit) {
    this.rows = rows
    this.#runtime = runtime
    const { kvHeadCount, headDim } = config
    using creating = new DisposableStack()
    const plane = (edge: CacheEdge, positions: Plane['positions']): Plane => {
      const sizes = positions === 'rows' ? ([capacity, headDim] as const) : ([headDim, capacity] as const)
      const data = new Float32Array(rows * kvHeadCount * capacity * headDim)
      // by far the most memory of a stage's sessions: it goes with the last tensor, not when the collector comes by
      const memory = creating.use(new NativeHandle(0n, () => void data.buffer.transfer(0)))
      return { edge, data, shape: [kvHeadCount, ...sizes], positions, memory }
    }
    this.#planes = [
      ...graph.cache.map(edge => plane(edge, 'rows')),
      ...(graph.groups?.transposed ?? []).map(edge => plane(edge, 'columns'))
    ]
    creating.move()
  }

  /** Tensors of `count` rows from `first` on. They are the caller's to dispose of. */
  view(first: number, count: number): BoundCache[] {
    using creating = new DisposableStack()
    const views = this.#planes.map(plane => {
      const tensor = new NativeTensor(this.#runtime, this.#rowsOf(plane, first, count), [count, ...plane.shape], () =>
        plane.memory.release()
      )
      plane.memory.retain()
      return { edge: plane.edge, tensor: creating.use(tensor) }
    })
    creating.move()
    return views
  }

  /** Zeroes the positions `[from, end)` of a row, and touches no others. No run may be under way. */
  wipe(row: number, from: number, end: number): void {
    for (const plane of this.#planes) {
      const [heads, rows, columns] = plane.shape
      const data = this.#rowsOf(plane, row, 1)
      // stretches of memory in which positions lie side by side, each of so many numbers
      const [stretches, positions, numbers] =
        plane.positions === 'rows' ? [heads, rows, columns] : [heads * rows, columns, 1]
      for (let stretch = 0; stretch < stretches; stretch++) {
        const start = stretch * positions
        data.fill(0, (start + from) * numbers, (start + Math.min(end, positions)) * numbers)
      }
    }
  }

  /**
   * Copies the first `positions` of a row to another, about a mebibyte at a time. A row's transposed values are not copied: they
   * follow from the others. Nothing may write to these positions of either row.
   */
  *copy(from: number, to: number, positions: number): Generator<void, void> {
    let copied = 0
    for (const { data, shape, positions: along } of this.#planes) {
      if (along === 'columns') continue
      const [heads, rows, columns] = shape
      const step = Math.max(1, Math.floor(PIECE_NUMBERS / columns))
      for (let head = 0; head < heads; head++) {
        const source = (from * heads + head) * rows * columns
        const target = (to * heads + head) * rows * columns
        for (let at = 0; at < positions; at += step) {
          const [start, end] = [at * columns, Math.min(at + step, positions) * columns]
          data.copyWithin(target + start, source + start, source + end)
          copied += end - start
          if (copied < PIECE_NUMBERS) continue
          copied = 0
          yield
        }
      }
    }
  }

  /** Its memory goes once all views have gone. */
  [Symbol.dispose](): void {
    for (const { memory } of this.#planes) memory[Symbol.dispose]()
  }

  #rowsOf({ data }: Plane, first: number, count: number): Float32Array<ArrayBuffer> {
    const length = data.length / this.rows
    return data.subarray(first * length, (first + count) * length)
  }
}
