import { MeshError } from '@resultity/interface'
import type { StageGraph } from '@resultity/model'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import type { RunOptions, ShownStates, StageSession } from '../port.ts'
import type { StageShape } from '../stage-shape.ts'

export interface NodeSessionComponents {
  readonly shape: StageShape
  readonly graph: StageGraph
  readonly kv: { readonly heads: number; readonly dim: number }
  run(feeds: Record<string, Tensor>, position: number): Promise<InferenceSession.ReturnType>
  release(session: NodeSession): void
}

/** `failed`: a run broke off or was aborted; the cache is unknown. */
type State = 'idle' | 'running' | 'failed' | 'closed'

const NO_LOGITS = new Float32Array(0)

/** A session that hands its cache in and out of the runtime at every run. */
export class NodeSession implements StageSession {
  readonly #components: NodeSessionComponents
  readonly #positionsMax: number
  #state: State = 'idle'
  #position = 0
  #cache: Tensor[]

  constructor(components: NodeSessionComponents, positionsMax: number) {
    this.#components = components
    this.#positionsMax = positionsMax
    this.#cache = components.graph.cache.map(() => this.#cacheTensor(new Float32Array(0), 0))
  }

  get position(): number {
    return this.#position
  }

  async run(input: Uint32Array | Float32Array, options: RunOptions = {}): Promise<Float32Array> {
    const { signal, needLogits = true, shown = [] } = options
    signal?.throwIfAborted()
    this.#requireIdle()
    const { shape, graph, run } = this.#components
    const count = shape.admitInput(input, this.#position, this.#positionsMax)
    shape.admitShown(shown, count)
    this.#state = 'running'
    const onAbort = Promise.withResolvers<never>()
    const abort = (): void => onAbort.reject(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      const results = await Promise.race([
        run({ ...this.#feeds(input, count), ...this.#shownFeeds(input, shown) }, this.#position),
        onAbort.promise
      ])
      if (this.#isClosed()) throw closedError()
      this.#cache = graph.cache.map(edge => floatTensor(results, edge.present))
      this.#position += count
      this.#state = 'idle'
      const output = floatTensor(results, graph.output.name).data
      return needLogits || !shape.last ? toFloats(output) : NO_LOGITS
    } catch (error) {
      if (!this.#isClosed()) this.#state = 'failed'
      throw signal?.aborted === true ? signal.reason : MeshError.from(error, 'engine_failed')
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  truncate(position: number): void {
    this.#requireIdle()
    if (!Number.isSafeInteger(position) || position < 0 || position > this.#position) {
      throw new MeshError(
        'invalid_request',
        `cannot truncate to position ${position}, the session has ${this.#position}`,
        { details: { param: 'position' } }
      )
    }
    const from = this.#position
    this.#position = position
    this.#cache = this.#cache.map(tensor => this.#shorten(tensor, from, position))
  }

  [Symbol.dispose](): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#cache = []
    this.#components.release(this)
  }

  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #requireIdle(): void {
    if (this.#state === 'running') {
      throw new MeshError('invalid_request', 'the session is running; await that run first')
    }
    if (this.#state === 'failed') {
      throw new MeshError('engine_failed', 'an earlier run of this session broke off, its cache is unknown')
    }
    if (this.#state === 'closed') throw closedError()
  }

  #feeds(input: Uint32Array | Float32Array, count: number): Record<string, Tensor> {
    const { shape, graph } = this.#components
    const total = this.#position + count
    const feeds: Record<string, Tensor> = {
      [graph.input.name]:
        input instanceof Float32Array
          ? new Tensor('float32', input, [1, count, shape.hiddenSize])
          : new Tensor('int32', Int32Array.from(input), [1, count]),
      [graph.lastPosition]: new Tensor('int32', Int32Array.of(total - 1), [1]),
      [graph.totalPositions]: new Tensor('int32', Int32Array.of(total), [])
    }
    if (graph.groups !== undefined) {
      // attending by groups writes into a longer cache, which this implementation does not have
      feeds[graph.groups.enabled] = new Tensor('bool', Uint8Array.of(0), [])
      feeds[graph.groups.position] = int64(BigInt(this.#position))
      feeds[graph.groups.transposedEnd] = int64(0n)
      feeds[graph.groups.closedShape] = int64(1n, 1n, 0n, 1n)
      const { heads, dim } = this.#components.kv
      const none = new Tensor('float32', new Float32Array(0), [1, heads, dim, 0])
      for (const { past } of graph.groups.transposed) feeds[past] = none
    }
    for (const [index, edge] of graph.cache.entries()) {
      const tensor = this.#cache[index]
      if (tensor !== undefined) feeds[edge.past] = tensor
    }
    return feeds
  }

  #shownFeeds(input: Uint32Array | Float32Array, shown: readonly ShownStates[]): Record<string, Tensor> {
    const { shape, graph } = this.#components
    if (graph.shown === undefined || input instanceof Float32Array) return {}
    const [tokens, rows] = [Int32Array.from(input), new Float32Array(input.length * shape.hiddenSize)]
    shape.placeShown(tokens, shown, rows)
    return {
      [graph.input.name]: new Tensor('int32', tokens, [1, tokens.length]),
      [graph.shown]: new Tensor('float32', rows, [1, tokens.length, shape.hiddenSize])
    }
  }

  #cacheTensor(data: Float32Array, positions: number): Tensor {
    const { kv } = this.#components
    return new Tensor('float32', data, [1, kv.heads, positions, kv.dim])
  }

  /** A cache tensor `[1, heads, from, dim]` cut to `[1, heads, to, dim]`. */
  #shorten(tensor: Tensor, from: number, to: number): Tensor {
    const { heads, dim } = this.#components.kv
    const source = toFloats(tensor.data)
    const target = new Float32Array(heads * to * dim)
    for (let head = 0; head < heads; head++) {
      const start = head * from * dim
      target.set(source.subarray(start, start + to * dim), head * to * dim)
    }
    return this.#cacheTensor(target, to)
  }
}

function int64(...values: readonly bigint[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values), [values.length])
}

function floatTensor(results: InferenceSession.ReturnType, name: string): Tensor {
  const tensor = results[name]
  if (tensor instanceof Tensor) return tensor
  throw new MeshError('engine_failed', `the graph gave no output "${name}"`)
}

function toFloats(data: Tensor['data']): Float32Array {
  if (data instanceof Float32Array) return data
  throw new MeshError('engine_failed', 'the graph gave an output of another type than f32')
}

function closedError(): MeshError {
  return new MeshError('unavailable', 'the session is closed')
}
