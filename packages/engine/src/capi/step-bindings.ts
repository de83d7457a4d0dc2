import type { Binding } from '@resultity/onnx-runtime'
import { NativeTensor } from '@resultity/onnx-runtime'
import { type RowWindow, WINDOW_ROWS_MAX } from '../row-windows.ts'
import type { KvArena } from './kv-arena.ts'
import { bindCache, bindShown, type SlotComponents } from './kv-slot.ts'
import { PositionInputs } from './position-inputs.ts'

/** Bindings that are kept: what makes one takes some tenths of a millisecond, and sessions come and go in few patterns. */
const KEPT_MAX = 32

/** A step of several rows, bound. */
export interface BoundSteps {
  readonly binding: Binding
  /** Where each row stands. */
  readonly positions: PositionInputs
  /** Token ids, or hidden states, of the rows in order. */
  readonly input: Int32Array | Float32Array
  readonly output: Float32Array
}

interface Kept extends BoundSteps {
  free(): void
}

/** Bindings for steps of several sessions, by the rows that they cover. One is used at a time, and all share their memory. */
export class StepBindings implements Disposable {
  readonly #components: SlotComponents
  readonly #arena: KvArena
  readonly #input: Int32Array | Float32Array
  readonly #output: Float32Array
  /** The one that was used last is the last. */
  readonly #kept = new Map<string, Kept>()

  constructor(components: SlotComponents, arena: KvArena) {
    this.#components = components
    this.#arena = arena
    const { shape, graph } = components
    const rows = Math.min(arena.rows, WINDOW_ROWS_MAX)
    this.#input = shape.newInput(rows)
    this.#output = new Float32Array(rows * graph.output.width)
  }

  /** For a run of the rows of `window`. */
  bind(window: RowWindow): BoundSteps {
    const key = `${window.first}-${window.end}`
    const kept = this.#kept.get(key) ?? this.#create(window)
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > KEPT_MAX && oldest !== undefined) {
      this.#kept.get(oldest)?.free()
      this.#kept.delete(oldest)
    }
    return kept
  }

  #create({ first, end }: RowWindow): Kept {
    const { runtime, graph, shape, config } = this.#components
    const count = end - first
    const { width } = graph.output
    using creating = new DisposableStack()
    const positions = creating.use(new PositionInputs({ runtime, graph, capacity: shape.cacheLength, config }, count))
    // the binding keeps what it names
    using views = new DisposableStack()
    const cache = this.#arena.view(first, count)
    for (const { tensor } of cache) views.use(tensor)
    const binding = creating.use(bindCache(this.#components, positions, cache))
    const input = this.#input.subarray(0, count * shape.inputWidth)
    const output = this.#output.subarray(0, count * width)
    using inputTensor = new NativeTensor(runtime, input, shape.first ? [count, 1] : [count, 1, shape.hiddenSize])
    using outputTensor = new NativeTensor(runtime, output, [count, 1, width])
    binding.input(graph.input.name, inputTensor)
    binding.output(graph.output.name, outputTensor)
    bindShown(this.#components, binding, [count, 1])
    const created = creating.move()
    return { binding, positions, input, output, free: () => created.dispose() }
  }

  [Symbol.dispose](): void {
    for (const { free } of this.#kept.values()) free()
    this.#kept.clear()
  }
}
