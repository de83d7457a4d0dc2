import {
  attendsByGroups,
  type DecoderManifest,
  formatRange,
  type LayerRange,
  MeshError,
  type WeightFile
} from '@resultity/interface'
import { ElementType, GraphWriter, type LocatedFile } from '@resultity/onnx-graph'
import { prepareGroups, ropeOfLayer } from './attention.ts'
import { decoderLayer, type Residual } from './decoder-layer.ts'
import { embed } from './embedding.ts'
import { head } from './head.ts'
import { names } from './names.ts'
import { type RopeName, rotaryDim } from './rotary.ts'

export interface StageGraphInit {
  readonly manifest: DecoderManifest
  readonly range: LayerRange
  /** Longest context in positions; sizes the rotary tables. */
  readonly contextLength: number
  /** On the last stage: logits of the last position of a run, or of all of them. */
  readonly logits: 'last' | 'all'
  /** Name of the weight file, relative to the directory the graph is loaded from. */
  weightLocation(file: WeightFile): string
}

/** One input of a stage's cache: the tensor bound as `past` and as `present`. */
export interface CacheEdge {
  readonly past: string
  readonly present: string
}

/** Tables of one rotary embedding: f32 `[contextLength, rotaryDim / 2]` each; see `rotaryTables`. */
export interface RotaryInputs {
  readonly rope: RopeName
  readonly cos: string
  readonly sin: string
}

/** Inputs of a graph that can attend by groups of heads: the same result, faster where the cache is long and full. */
export interface GroupInputs {
  /** bool scalar: attend by groups. Only for runs of one position of one session. */
  readonly enabled: string
  /** int64 `[1]`: index of the run's position. */
  readonly position: string
  /** int64 `[1]`: positions whose values are transposed already; the run transposes those from there on. */
  readonly transposedEnd: string
  /**
   * int64 `[4]`: `1, kvHeadCount, C - positions in the cache after the run, headCount / kvHeadCount`; without groups its
   * third is 0.
   */
  readonly closedShape: string
  /** f32 `[B, kvHeadCount, headDim, C]` each, of the range's layers in order: the values, transposed. */
  readonly transposed: readonly CacheEdge[]
}

/**
 * A layer range as an ONNX model, and how to feed it. B is the number of sessions in a run, P that of its positions of each,
 * C the capacity of the cache in positions. Several sessions may run together where P is 1 and not all logits are wanted.
 */
export interface StageGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** int32 `[B, P]` token ids on the first stage, f32 `[B, P, hiddenSize]` elsewhere. */
  readonly input: { readonly name: string; readonly kind: 'tokens' | 'hidden' }
  /**
   * On the first stage of a model that reads pictures, a further input: f32 `[B, P, hiddenSize]`, of which a row is read where the
   * token is negative, in place of that token's.
   */
  readonly shown?: string
  /** f32 `[B, P, hiddenSize]`, or on the last stage f32 `[B, 1 or P, vocabularySize]`. */
  readonly output: { readonly name: string; readonly kind: 'hidden' | 'logits'; readonly width: number }
  /** Whether the output has a row for each position of a run or only for the last. */
  readonly outputRows: 'last' | 'all'
  /** int32 `[B]`: positions in each session's cache after the run, less one. */
  readonly lastPosition: string
  /** int32 scalar: positions in the longest of these caches after the run. */
  readonly totalPositions: string
  /** The rotary tables of the range's layers. */
  readonly rotary: readonly RotaryInputs[]
  /** Further inputs of graphs that can also attend by groups of heads, for a run of one position. */
  readonly groups?: GroupInputs
  /** f32 `[B, kvHeadCount, C, headDim]` each: key, value of the range's first layer, then of the next. */
  readonly cache: readonly CacheEdge[]
}

/**
 * Builds the ONNX model of a layer range.
 *
 * The same range computes the same bits wherever the model is cut: the hidden state that leaves a stage is the sum
 * which, inside a stage, the next layer's norm takes; a stage that receives one lets that same norm add zero to it.
 *
 * @throws MeshError `invalid_request` for a range the model does not have, `model_invalid` for a missing tensor
 */
export function buildStageGraph(init: StageGraphInit): StageGraph {
  const { manifest, range } = init
  const { config } = manifest
  if (range.first < 0 || range.end <= range.first || range.end > config.layerCount) {
    throw new MeshError(
      'invalid_request',
      `${manifest.name} has ${config.layerCount} layers; ${formatRange(range)} is not a range of them`
    )
  }
  const graph = new GraphWriter()
  const first = range.first === 0
  const last = range.end === config.layerCount
  const locate = (file: WeightFile, prefix: string): LocatedFile => ({
    file,
    location: init.weightLocation(file),
    prefix
  })

  const embedded = first ? embed(graph, manifest, locate(manifest.embedding, 'embedding_')) : undefined
  let residual = embedded?.residual ?? receive(graph, config.hiddenSize)
  graph.input(names.lastPosition, ElementType.int32, ['batch'])
  graph.input(names.totalPositions, ElementType.int32, [])
  const rotary = declareRotary(graph, init)
  const groups = attendsByGroups(config) ? declareGroups(graph, manifest, range) : undefined
  for (let layer = range.first; layer < range.end; layer++) {
    const file = manifest.layers[layer]
    if (file === undefined) throw new MeshError('model_invalid', `${manifest.name} lists no weights of layer ${layer}`)
    residual = decoderLayer(graph, manifest, layer, locate(file, `layer_${layer}_`), residual)
  }
  const cache = declareCache(graph, manifest, range)
  if (last) {
    head(graph, manifest, {
      located: locate(manifest.head, 'head_'),
      embedding: locate(manifest.embedding, 'embedding_'),
      residual,
      rows: init.logits
    })
  } else {
    graph.node('Add', names.output, [residual.input, residual.skip])
    graph.output(names.output, ElementType.float32, ['batch', 'positions', config.hiddenSize])
  }
  return {
    bytes: graph.finish(`${manifest.name} ${formatRange(range)}`),
    input: first ? { name: names.tokens, kind: 'tokens' } : { name: names.hidden, kind: 'hidden' },
    ...(embedded?.shown === undefined ? {} : { shown: embedded.shown }),
    output: last
      ? { name: names.output, kind: 'logits', width: config.vocabularySize }
      : { name: names.output, kind: 'hidden', width: config.hiddenSize },
    outputRows: last ? init.logits : 'all',
    lastPosition: names.lastPosition,
    totalPositions: names.totalPositions,
    rotary,
    ...(groups === undefined ? {} : { groups }),
    cache
  }
}

/** The hidden state of an earlier stage, as a sum with zero. */
function receive(graph: GraphWriter, hiddenSize: number): Residual {
  const hidden = graph.input(names.hidden, ElementType.float32, ['batch', 'positions', hiddenSize])
  const zero = graph.constant('zero', Float32Array.of(0), [1])
  return { input: hidden, skip: graph.node('Mul', 'no_skip', [hidden, zero]) }
}

/** Only the tables that a layer of the range takes: the runtime refuses inputs that nothing reads. */
function declareRotary(graph: GraphWriter, { manifest, range, contextLength }: StageGraphInit): RotaryInputs[] {
  const { config } = manifest
  const used = new Set<RopeName>()
  for (let layer = range.first; layer < range.end; layer++) {
    const rope = ropeOfLayer(config, layer)
    if (rope !== 'none') used.add(rope)
  }
  const shape = [contextLength, rotaryDim(config) / 2]
  return [...used].map(rope => ({
    rope,
    cos: graph.input(names.cos(rope), ElementType.float32, shape),
    sin: graph.input(names.sin(rope), ElementType.float32, shape)
  }))
}

function declareGroups(graph: GraphWriter, { config }: DecoderManifest, range: LayerRange): GroupInputs {
  graph.input(names.groupHeads, ElementType.boolean, [])
  graph.input(names.position, ElementType.int64, [1])
  graph.input(names.transposedEnd, ElementType.int64, [1])
  graph.input(names.closedShape, ElementType.int64, [4])
  prepareGroups(graph)
  const shape = ['batch', config.kvHeadCount, config.headDim, 'capacity']
  const transposed: CacheEdge[] = []
  for (let layer = range.first; layer < range.end; layer++) {
    const edge = { past: names.pastTransposed(layer), present: names.presentTransposed(layer) }
    graph.input(edge.past, ElementType.float32, shape)
    graph.output(edge.present, ElementType.float32, shape)
    transposed.push(edge)
  }
  return {
    enabled: names.groupHeads,
    position: names.position,
    transposedEnd: names.transposedEnd,
    closedShape: names.closedShape,
    transposed
  }
}

function declareCache(graph: GraphWriter, manifest: DecoderManifest, range: LayerRange): CacheEdge[] {
  const shape = ['batch', manifest.config.kvHeadCount, 'capacity', manifest.config.headDim]
  const edges: CacheEdge[] = []
  for (let layer = range.first; layer < range.end; layer++) {
    const key = { past: names.pastKey(layer), present: names.presentKey(layer) }
    const value = { past: names.pastValue(layer), present: names.presentValue(layer) }
    for (const edge of [key, value]) {
      graph.input(edge.past, ElementType.float32, shape)
      graph.output(edge.present, ElementType.float32, shape)
      edges.push(edge)
    }
  }
  return edges
}
