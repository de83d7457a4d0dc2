import type { AbortOptions } from '@resultity/interface'
import type { GraphSession, Runtime } from '@resultity/onnx-runtime'
import { Binding, NativeTensor, runBound, type TensorData } from '@resultity/onnx-runtime'
import type { TextEdges, TextRun, TextRunResult, TextShape, TextState } from '../text-state.ts'

/** What writes texts, loaded by the runtime. */
export interface CapiTextParts {
  readonly runtime: Runtime
  readonly session: GraphSession
  readonly edges: TextEdges
  readonly shape: TextShape
  /** Of a graph that says where heads look: what gives it, f32 `[1, heads, tokens, length]`. */
  readonly looks?: { readonly edge: string; readonly heads: number; readonly length: number }
}

/** What a run of one length reads and writes beside the cache. */
interface BoundRun extends Disposable {
  readonly binding: Binding
  readonly tokens: Int32Array
  readonly beside: Int32Array | undefined
  readonly positions: BigInt64Array
  readonly firstRow: BigInt64Array
  readonly lastPosition: Int32Array
  readonly totalPositions: Int32Array
  readonly logits: Float32Array
  readonly looks: Float32Array
}

/** Keys or values of what is written about, and the edge that reads them. */
export interface BoundWindow {
  readonly edge: string
  readonly tensor: NativeTensor
}

interface RunShape {
  readonly count: number
  readonly rows: number
  readonly needLooks: boolean
}

const NONE = new Float32Array(0)

/**
 * The cache of one text. It is bound as past and as present, so that the attention operator adds to it in place, and zero-filled
 * by the system when first touched: positions that no run has reached cost nothing.
 */
export class CapiText implements TextState {
  readonly #parts: CapiTextParts
  readonly #window: readonly BoundWindow[]
  readonly #planes: readonly Float32Array<ArrayBuffer>[]
  readonly #cache: readonly NativeTensor[]
  /** Of a run of one token, which is nearly every run: bound once. */
  #step: BoundRun | undefined
  #closed = false

  constructor(parts: CapiTextParts, window: readonly BoundWindow[]) {
    this.#parts = parts
    this.#window = window
    const { runtime, edges, shape } = parts
    const { textContext, hiddenSize, headCount: heads } = shape
    this.#planes = edges.cache.map(() => new Float32Array(textContext * hiddenSize))
    this.#cache = this.#planes.map(
      data =>
        new NativeTensor(runtime, data, [1, heads, textContext, hiddenSize / heads], () => void data.buffer.transfer(0))
    )
  }

  async run(run: TextRun, { signal }: AbortOptions): Promise<TextRunResult> {
    const { runtime, session } = this.#parts
    const { tokens, position, firstRow, needLooks } = run
    const count = tokens.length
    using memory = new DisposableStack()
    memory.use(session.callers.work())
    const single = count === 1 && !needLooks
    if (single) this.#step ??= this.#bind({ count: 1, rows: 1, needLooks: false })
    const bound =
      this.#step !== undefined && single
        ? this.#step
        : memory.use(this.#bind({ count, rows: count - firstRow, needLooks }))
    bound.tokens.set(tokens)
    if (run.beside === undefined) bound.beside?.fill(-1)
    else bound.beside?.set(run.beside)
    for (let index = 0; index < count; index++) bound.positions[index] = BigInt(position + index)
    bound.firstRow[0] = BigInt(firstRow)
    bound.lastPosition[0] = position + count - 1
    bound.totalPositions[0] = position + count
    await runBound(runtime, bound.binding, signal)
    return { logits: single ? bound.logits.slice() : bound.logits, looks: bound.looks }
  }

  wipe(position: number): void {
    if (this.#closed) return
    const { textContext, headCount: heads } = this.#parts.shape
    for (const data of this.#planes) {
      const headLength = data.length / heads
      const from = (position * headLength) / textContext
      for (let head = 0; head < heads; head++) data.fill(0, head * headLength + from, (head + 1) * headLength)
    }
  }

  /** What a run under way reads goes when it is over. */
  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    this.#step?.[Symbol.dispose]()
    for (const tensor of this.#cache) tensor[Symbol.dispose]()
  }

  #bind({ count, rows, needLooks }: RunShape): BoundRun {
    const { runtime, session, edges, shape, looks } = this.#parts
    const { vocabularySize } = shape
    using binding = new DisposableStack()
    const bound = binding.use(new Binding(runtime, session))
    // the binding keeps them
    using own = new DisposableStack()
    const tensor = <Data extends TensorData>(data: Data, shape: number[]): NativeTensor<Data> =>
      own.use(new NativeTensor(runtime, data, shape))
    const input = <Data extends TensorData>(edge: string, data: Data, shape: number[]): Data => {
      bound.input(edge, tensor(data, shape))
      return data
    }
    const output = (edge: string, data: Float32Array, shape: number[]): Float32Array => {
      bound.output(edge, tensor(data, shape))
      return data
    }
    for (const { edge, tensor: keysOrValues } of this.#window) bound.input(edge, keysOrValues)
    for (const [index, { past, present }] of edges.cache.entries()) {
      const kept = this.#cache[index]
      if (kept === undefined) continue
      bound.input(past, kept)
      bound.output(present, kept)
    }
    const run: BoundRun = {
      binding: bound,
      tokens: input(edges.tokens, new Int32Array(count), [1, count]),
      beside: edges.beside === undefined ? undefined : input(edges.beside, new Int32Array(count), [1, count]),
      positions: input(edges.positions, new BigInt64Array(count), [count]),
      firstRow: input(edges.firstRow, new BigInt64Array(1), [1]),
      lastPosition: input(edges.lastPosition, new Int32Array(1), [1]),
      totalPositions: input(edges.totalPositions, new Int32Array(1), []),
      logits: output(edges.logits, new Float32Array(rows * vocabularySize), [rows, vocabularySize]),
      looks: needLooks && looks !== undefined ? output(looks.edge, ...looked(looks, count)) : NONE,
      [Symbol.dispose]: () => bound[Symbol.dispose]()
    }
    binding.move()
    return run
  }
}

function looked(
  { heads, length }: NonNullable<CapiTextParts['looks']>,
  count: number
): [data: Float32Array, shape: number[]] {
  return [new Float32Array(heads * count * length), [1, heads, count, length]]
}
