import { type AbortOptions, MeshError } from '@resultity/interface'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import type { TextEdges, TextRun, TextRunResult, TextShape, TextState } from '../text-state.ts'

/** Tensors by the edges that read them. */
export type Feeds = Record<string, Tensor>

/** What writes texts, loaded by the runtime. */
export interface NodeTextParts {
  readonly session: InferenceSession
  readonly edges: TextEdges
  readonly shape: TextShape
  /** The edge that says where heads look, of a graph that does. */
  readonly looks?: string
}

const NONE = new Float32Array(0)

/** A text that hands its cache in and out of the runtime at every run. */
export class NodeText implements TextState {
  readonly #parts: NodeTextParts
  readonly #cross: Feeds
  #cache: Tensor[]

  constructor(parts: NodeTextParts, cross: Feeds) {
    this.#parts = parts
    this.#cross = cross
    const { textContext, hiddenSize, headCount: heads } = parts.shape
    this.#cache = parts.edges.cache.map(
      () =>
        new Tensor('float32', new Float32Array(textContext * hiddenSize), [1, heads, textContext, hiddenSize / heads])
    )
  }

  async run({ tokens, beside, position, firstRow }: TextRun, { signal }: AbortOptions): Promise<TextRunResult> {
    const { session, edges, looks } = this.#parts
    const count = tokens.length
    const positions = BigInt64Array.from(tokens, (_, index) => BigInt(position + index))
    const feeds: Feeds = {
      ...this.#cross,
      [edges.tokens]: new Tensor('int32', Int32Array.from(tokens), [1, count]),
      [edges.positions]: new Tensor('int64', positions, [count]),
      [edges.firstRow]: new Tensor('int64', BigInt64Array.of(BigInt(firstRow)), [1]),
      [edges.lastPosition]: new Tensor('int32', Int32Array.of(position + count - 1), [1]),
      [edges.totalPositions]: new Tensor('int32', Int32Array.of(position + count), [])
    }
    if (edges.beside !== undefined) {
      const others = beside === undefined ? new Int32Array(count).fill(-1) : Int32Array.from(beside)
      feeds[edges.beside] = new Tensor('int32', others, [1, count])
    }
    for (const [index, { past }] of edges.cache.entries()) {
      const kept = this.#cache[index]
      if (kept !== undefined) feeds[past] = kept
    }
    const results = await session.run(feeds)
    signal?.throwIfAborted()
    this.#cache = edges.cache.map(({ present }) => tensorOf(results, present))
    return { logits: floatsOf(results, edges.logits), looks: looks === undefined ? NONE : floatsOf(results, looks) }
  }

  /** A run that failed has given nothing back. */
  wipe(): void {}

  [Symbol.dispose](): void {
    this.#cache = []
  }
}

export function tensorOf(results: InferenceSession.ReturnType, edge: string): Tensor {
  const tensor = results[edge]
  if (tensor instanceof Tensor) return tensor
  throw new MeshError('engine_failed', `the model gave no tensor "${edge}"`)
}

export function floatsOf(results: InferenceSession.ReturnType, edge: string): Float32Array {
  const { data } = tensorOf(results, edge)
  if (data instanceof Float32Array) return data
  throw new MeshError('engine_failed', `the model gave no f32 "${edge}"`)
}
