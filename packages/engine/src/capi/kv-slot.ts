import type { ModelConfig } from '@resultity/interface'
import type { StageGraph } from '@resultity/model'
import type { GraphSession, Runtime } from '@resultity/onnx-runtime'
import { Binding, NativeTensor, RunOptions } from '@resultity/onnx-runtime'
import type { StageShape } from '../stage-shape.ts'
import type { BoundCache, KvArena } from './kv-arena.ts'
import { headsPerGroup, PositionInputs } from './position-inputs.ts'

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
  /** Of a first stage that reads pictures: what is read where the input is negative. */
  readonly shown: Float32Array | undefined
  readonly output: Float32Array
}

/**
 * How much dearer a position of the cache is when attended by groups than one head's reading of it: measured as 2.6,
 * and rounded up in favour of the runtime's own operator. See docs/engine.md.
 */
const GROUP_COST = 3

/**
 * The memory of one session on one stage: its row of the KV cache, inputs and outputs, bound to the graph for runs of this
 * session alone.
 *
 * The cache is bound as past and as present, so the attention operator appends to it in place.
 */
export class KvSlot implements Disposable {
  readonly row: number
  readonly runOptions: RunOptions
  /** Positions that its session has in the cache. */
  position = 0
  readonly #components: SlotComponents
  readonly #arena: KvArena
  /** All that it has made. */
  readonly #made: DisposableStack
  readonly #inputs: PositionInputs
  readonly #cache: readonly BoundCache[]
  /** Positions that any run has written to. */
  #reached = 0
  /** From this position on the cache may hold what is no number: runs of fewer positions still meet it, times zero. */
  #damagedFrom = Number.POSITIVE_INFINITY
  /** Positions from the first on whose values are the same in both caches. */
  #transposed = 0
  #stepOutput: Float32Array | undefined
  #singleBinding: Binding | undefined
  #single: BoundRun | undefined
  #wideBinding: Binding | undefined
  #wide: (BoundRun & { readonly count: number }) | undefined
  #wideInput: Int32Array | Float32Array | undefined
  #wideOutput: Float32Array | undefined

  constructor(components: SlotComponents, arena: KvArena, row: number) {
    this.#components = components
    this.#arena = arena
    this.row = row
    const { runtime, graph, config, shape } = components
    using creating = new DisposableStack()
    this.runOptions = creating.use(new RunOptions(runtime))
    this.#inputs = creating.use(new PositionInputs({ runtime, graph, capacity: shape.cacheLength, config }))
    this.#cache = arena.view(row, 1)
    for (const { tensor } of this.#cache) creating.use(tensor)
    this.#made = creating.move()
  }

  /**
   * It is another session's from now on, which meets nothing that is no number. No run of this row may be under way, but one that
   * is computed along.
   *
   * @param position of that session; what is before it stays, and was {@link isSound}
   */
  begin(position = 0): void {
    if (this.#damagedFrom < this.#reached) this.#arena.wipe(this.row, this.#damagedFrom, this.#reached)
    this.#damagedFrom = Number.POSITIVE_INFINITY
    this.position = position
    this.#transposed = Math.min(this.#transposed, position)
    this.runOptions.allow()
  }

  /** As {@link begin}, with positions that are copied into it. */
  beginWithCopy(position: number): void {
    this.begin()
    this.position = position
    this.#reached = Math.max(this.#reached, position)
  }

  /** Whether the positions before `end` hold numbers. */
  isSound(end: number): boolean {
    return this.#damagedFrom >= end
  }

  /**
   * Whether the step that makes the cache `total` long attends by groups of heads. Each head reads the cache up to `total`; a
   * group reads it once, but to its end. Depends on nothing but the session and the stage's context, so that every stage of a
   * route, however the model is cut, decides alike.
   */
  attendsByGroups(total: number): boolean {
    const { graph, config, shape } = this.#components
    return graph.groups !== undefined && total * headsPerGroup(config) >= GROUP_COST * shape.contextLength
  }

  /** Tells the graph that the run of this session alone which begins now adds `count` positions. */
  setPosition(count: number): void {
    const total = this.position + count
    this.#reached = Math.max(this.#reached, total)
    if (count === 1 && this.attendsByGroups(total)) {
      this.#inputs.setGroups(total, Math.min(this.#transposed, total - 1))
      this.#transposed = total
    } else {
      this.#inputs.setHeads(0, total)
      this.#transposed = Math.min(this.#transposed, this.position)
    }
  }

  /** The run that begins now adds one position to this row and to others, whether or not its session asked for it. */
  stepTogether(): void {
    this.#reached = Math.max(this.#reached, this.position + 1)
    this.#transposed = Math.min(this.#transposed, this.position)
    // what is no number behind the position gets into what is written there
    if (this.#damagedFrom < this.#reached) this.damage()
  }

  /** A run from the session's position on broke off, or gave what is no number: so may be what it wrote. */
  damage(): void {
    this.#damagedFrom = Math.min(this.#damagedFrom, this.position)
  }

  /** Where the output of a step goes. */
  get stepOutput(): Float32Array {
    this.#stepOutput ??= new Float32Array(this.#outputLength(1))
    return this.#stepOutput
  }

  /** The binding for a run of `count` positions; the one for a single position is kept for the slot's life. */
  bind(count: number): BoundRun {
    if (count > 1) return this.#bindWide(count)
    this.#singleBinding ??= this.#createBinding()
    const { shape } = this.#components
    this.#single ??= this.#bindInputAndOutput(this.#singleBinding, 1, shape.newInput(1), this.stepOutput)
    return this.#single
  }

  #bindWide(count: number): BoundRun {
    if (this.#wide?.count === count) return this.#wide
    const { shape } = this.#components
    const inputLength = count * shape.inputWidth
    const outputLength = this.#outputLength(count)
    if (this.#wideInput === undefined || this.#wideInput.length < inputLength) this.#wideInput = shape.newInput(count)
    if (this.#wideOutput === undefined || this.#wideOutput.length < outputLength) {
      this.#wideOutput = new Float32Array(outputLength)
    }
    this.#wideBinding ??= this.#createBinding()
    // where this fails, the binding has neither the old length nor the new one
    this.#wide = undefined
    const bound = this.#bindInputAndOutput(
      this.#wideBinding,
      count,
      this.#wideInput.subarray(0, inputLength),
      this.#wideOutput.subarray(0, outputLength)
    )
    this.#wide = { ...bound, count }
    return this.#wide
  }

  /** A binding with all but the input and the output, whose shapes depend on the run. */
  #createBinding(): Binding {
    return this.#made.use(bindCache(this.#components, this.#inputs, this.#cache))
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
    return { binding, input: inputData, shown: bindShown(this.#components, binding, [1, count]), output }
  }

  #outputLength(count: number): number {
    const { graph } = this.#components
    return (graph.outputRows === 'last' ? 1 : count) * graph.output.width
  }

  [Symbol.dispose](): void {
    this.#made.dispose()
  }
}

/** Memory for what is read in the place of tokens, where the graph reads any: the binding keeps it. */
export function bindShown(
  { runtime, graph, shape }: SlotComponents,
  binding: Binding,
  [rows, count]: readonly [rows: number, count: number]
): Float32Array | undefined {
  if (graph.shown === undefined) return undefined
  const shown = new Float32Array(rows * count * shape.hiddenSize)
  using tensor = new NativeTensor(runtime, shown, [rows, count, shape.hiddenSize])
  binding.input(graph.shown, tensor)
  return shown
}

/** A binding of everything but the input and the output. */
export function bindCache(
  { runtime, session, rotary }: SlotComponents,
  positions: PositionInputs,
  cache: readonly BoundCache[]
): Binding {
  using creating = new DisposableStack()
  const binding = creating.use(new Binding(runtime, session))
  positions.bindTo(binding)
  for (const { input, tensor } of rotary) binding.input(input, tensor)
  for (const { edge, tensor } of cache) {
    binding.input(edge.past, tensor)
    binding.output(edge.present, tensor)
  }
  creating.move()
  return binding
}
