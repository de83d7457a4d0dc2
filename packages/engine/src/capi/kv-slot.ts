import type { ModelConfig } from '@resultity/interface'
import type { CacheEdge, StageGraph } from '@resultity/model'
import type { StageShape } from '../stage-shape.ts'
import { Binding, RunOptions } from './binding.ts'
import type { GraphSession } from './graph-session.ts'
import { PositionInputs } from './position-inputs.ts'
import type { Runtime } from './runtime.ts'
import { NativeTensor } from './tensor.ts'

/** What all slots of a stage share. */
export interface SlotComponents {
  readonly runtime: Runtime
  readonly graph: StageGraph
  readonly session: GraphSession
  readonly shape: StageShape
  readonly config: ModelConfig
  /** The rotary tables, which all runs read. */
  readonly rotary: readonly BoundTable[]
}

/** A tensor that stays the same for the life of a stage, and the input that it is bound to. */
export interface BoundTable {
  readonly input: string
  readonly tensor: NativeTensor
}

/** A binding for runs of one length, with the memory it reads and writes. */
export interface BoundRun {
  readonly binding: Binding
  readonly input: Int32Array | Float32Array
  readonly output: Float32Array
}

interface BoundCache {
  readonly edge: CacheEdge
  readonly tensor: NativeTensor<Float32Array<ArrayBuffer>>
}

/**
 * The memory of one session on one stage: its KV cache, inputs and outputs, bound to the graph.
 *
 * The cache is bound as past and as present, so the attention operator appends to it in place. Memory is zero-filled
 * by the system when first touched: a long capacity costs nothing until positions are there.
 */
export class KvSlot implements Disposable {
  /** Positions the cache holds. */
  readonly capacity: number
  readonly runOptions: RunOptions
  /** Set once the cache may hold what is no number: positions behind a run still meet it, times zero. */
  damaged = false
  readonly #components: SlotComponents
  readonly #position: PositionInputs
  readonly #cache: readonly BoundCache[]
  #single: BoundRun | undefined
  #wide: (BoundRun & { readonly count: number }) | undefined
  #wideInput: Int32Array | Float32Array | undefined
  #wideOutput: Float32Array | undefined

  constructor(components: SlotComponents, capacity: number) {
    this.#components = components
    this.capacity = capacity
    const { runtime, graph, config } = components
    this.runOptions = new RunOptions(runtime)
    this.#position = new PositionInputs({ runtime, graph, capacity, config })
    const { kvHeadCount, headDim } = config
    const tensor = (edge: CacheEdge, rows: number, columns: number): BoundCache => {
      const data = new Float32Array(kvHeadCount * rows * columns)
      // by far the most memory of a slot, and nobody else's: it goes with the tensor, not when the collector comes by
      const giveBack = (): void => void data.buffer.transfer(0)
      return { edge, tensor: new NativeTensor(runtime, data, [1, kvHeadCount, rows, columns], giveBack) }
    }
    this.#cache = [
      ...graph.cache.map(edge => tensor(edge, capacity, headDim)),
      ...(graph.groups?.transposed ?? []).map(edge => tensor(edge, headDim, capacity))
    ]
  }

  /** Tells the graph that the run which begins now adds `count` positions and makes the cache `total` long. */
  setPosition(count: number, total: number): void {
    this.#position.set(count, total)
  }

  /** The binding for a run of `count` positions; the one for a single position is kept for the slot's life. */
  bind(count: number): BoundRun {
    if (count > 1) return this.#bindWide(count)
    this.#single ??= this.#bindInputAndOutput(
      this.#createBinding(),
      1,
      this.#newInput(1),
      new Float32Array(this.#outputLength(1))
    )
    return this.#single
  }

  #bindWide(count: number): BoundRun {
    if (this.#wide?.count === count) return this.#wide
    const inputLength = count * this.#inputWidth()
    const outputLength = this.#outputLength(count)
    if (this.#wideInput === undefined || this.#wideInput.length < inputLength) this.#wideInput = this.#newInput(count)
    if (this.#wideOutput === undefined || this.#wideOutput.length < outputLength) {
      this.#wideOutput = new Float32Array(outputLength)
    }
    const bound = this.#bindInputAndOutput(
      this.#wide?.binding ?? this.#createBinding(),
      count,
      this.#wideInput.subarray(0, inputLength),
      this.#wideOutput.subarray(0, outputLength)
    )
    this.#wide = { ...bound, count }
    return this.#wide
  }

  /** A binding with all but the input and the output, whose shapes depend on the run. */
  #createBinding(): Binding {
    const { runtime, session, rotary } = this.#components
    const binding = new Binding(runtime, session)
    this.#position.bindTo(binding)
    for (const { input, tensor } of rotary) binding.input(input, tensor)
    for (const { edge, tensor } of this.#cache) {
      binding.input(edge.past, tensor)
      binding.output(edge.present, tensor)
    }
    return binding
  }

  #bindInputAndOutput(
    binding: Binding,
    count: number,
    inputData: Int32Array | Float32Array,
    output: Float32Array
  ): BoundRun {
    const { runtime, graph, shape } = this.#components
    const { width } = graph.output
    // the binding keeps them until others take their place: a slot lives through any number of lengths
    using input = new NativeTensor(runtime, inputData, shape.first ? [1, count] : [1, count, shape.hiddenSize])
    using result = new NativeTensor(runtime, output, [1, output.length / width, width])
    binding.input(graph.input.name, input)
    binding.output(graph.output.name, result)
    return { binding, input: inputData, output }
  }

  #inputWidth(): number {
    const { shape } = this.#components
    return shape.first ? 1 : shape.hiddenSize
  }

  #newInput(count: number): Int32Array | Float32Array {
    const length = count * this.#inputWidth()
    return this.#components.shape.first ? new Int32Array(length) : new Float32Array(length)
  }

  #outputLength(count: number): number {
    const { graph } = this.#components
    return (graph.outputRows === 'last' ? 1 : count) * graph.output.width
  }

  [Symbol.dispose](): void {
    this.#single?.binding[Symbol.dispose]()
    this.#wide?.binding[Symbol.dispose]()
    for (const { tensor } of this.#cache) tensor[Symbol.dispose]()
    this.#position[Symbol.dispose]()
    this.runOptions[Symbol.dispose]()
  }
}
