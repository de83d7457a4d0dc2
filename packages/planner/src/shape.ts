import type { LayerRange } from '@resultity/interface'

/** The planner's view of a model: bytes only. */
export interface ModelShape {
  /** Weight bytes of each decoder layer, first layer first. */
  readonly layerBytes: readonly number[]
  /** Bytes that the first stage holds in addition to its layers. */
  readonly embeddingBytes: number
  /** Further bytes of the first stage, which no other has. Default 0. */
  readonly firstBytes?: number
  /** Bytes that the last stage holds in addition to its layers, without a tied embedding. */
  readonly headBytes: number
  /** The last stage multiplies by the embedding too, so it needs a copy unless it is also the first. */
  readonly tiedEmbedding: boolean
  /** KV-cache bytes that one layer takes for all session slots of a placement. */
  readonly kvBytesPerLayer: number
  /** Bytes that runs of each layer need beside its weights: runs take turns, and a stage needs those of its largest. Default none. */
  readonly workBytes?: readonly number[]
  /** Layers that a stage may begin with, beside 0. Default: any. */
  readonly cuts?: readonly number[]
}

/** The planner's view of a node. */
export interface PlannerNode {
  readonly peerId: string
  /** Bytes that may still be given to weights and KV caches. */
  readonly memoryFreeBytes: number
  /** One decode step on one layer of this model, measured or a prior. */
  readonly msPerLayer: number
  /** Final norm and projection of one token; the cost of as many layers as the head weighs when not measured. */
  readonly headMs?: number
  /** Measured round trips to other nodes, by peer id; an unmeasured one counts as 0. */
  readonly rttMs?: Readonly<Record<string, number>>
  /** Class of its kernels: nodes of the same one compute alike, to the last bit. */
  readonly kernels?: string
  /** Nodes that it does not reach, or that do not reach it: they are not put beside it. */
  readonly avoids?: ReadonlySet<string>
  /** Layers of this model whose weights are here already. */
  readonly heldRanges?: readonly LayerRange[]
}

/** Prefix sums over a model's layers, so that a range is costed in constant time. */
export class ModelCosts {
  readonly layerCount: number
  readonly shape: ModelShape
  readonly #prefixBytes: Float64Array
  readonly #cuts: ReadonlySet<number> | undefined

  constructor(shape: ModelShape) {
    this.shape = shape
    this.layerCount = shape.layerBytes.length
    this.#cuts = shape.cuts && new Set([0, ...shape.cuts])
    this.#prefixBytes = new Float64Array(this.layerCount + 1)
    for (const [index, bytes] of shape.layerBytes.entries()) {
      this.#prefixBytes[index + 1] = (this.#prefixBytes[index] ?? 0) + bytes
    }
  }

  /** Most stages that the model may be cut into. */
  get stagesMax(): number {
    return this.#cuts === undefined ? this.layerCount : Math.min(this.#cuts.size, this.layerCount)
  }

  /** Whether a stage may begin with this layer. */
  mayBegin(layer: number): boolean {
    return this.#cuts?.has(layer) ?? true
  }

  /** Weight bytes of the layers of `range` alone, without ends or caches. */
  layerBytes(range: LayerRange): number {
    return (this.#prefixBytes[range.end] ?? 0) - (this.#prefixBytes[range.first] ?? 0)
  }

  /** All memory of a stage: its layers, its KV slots, and the ends it carries. */
  stageBytes(range: LayerRange): number {
    const { embeddingBytes, firstBytes = 0, headBytes, tiedEmbedding, kvBytesPerLayer } = this.shape
    const first = range.first === 0
    const last = range.end === this.layerCount
    const layers = this.layerBytes(range) + kvBytesPerLayer * (range.end - range.first)
    const ends = (first || (last && tiedEmbedding) ? embeddingBytes : 0) + (last ? headBytes : 0)
    return layers + ends + (first ? firstBytes : 0) + this.#workBytes(range)
  }

  #workBytes({ first, end }: LayerRange): number {
    return (this.shape.workBytes ?? []).slice(first, end).reduce((most, bytes) => Math.max(most, bytes), 0)
  }

  /** Milliseconds `node` computes on one token as the stage of `range`. */
  stageMs(node: PlannerNode, range: LayerRange): number {
    const layers = (range.end - range.first) * node.msPerLayer
    return range.end === this.layerCount ? layers + this.headMs(node) : layers
  }

  /** The head is one matrix: it costs `node` as much as the same bytes of layers do. */
  headMs(node: PlannerNode): number {
    if (node.headMs !== undefined) return node.headMs
    const { headBytes, embeddingBytes, tiedEmbedding } = this.shape
    const allLayers = this.layerBytes({ first: 0, end: this.layerCount })
    if (allLayers === 0) return 0
    const head = headBytes + (tiedEmbedding ? embeddingBytes : 0)
    return (node.msPerLayer * this.layerCount * head) / allLayers
  }

  /** Layer bytes of `range` that `node` does not hold yet. */
  bytesToMove(node: PlannerNode, range: LayerRange): number {
    const held = node.heldRanges ?? []
    let bytes = 0
    for (let layer = range.first; layer < range.end; layer++) {
      const here = held.some(one => one.first <= layer && layer < one.end)
      if (!here) bytes += this.shape.layerBytes[layer] ?? 0
    }
    return bytes
  }
}
