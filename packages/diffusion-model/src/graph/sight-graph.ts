import type { ClipSightConfig, PriorConfig } from '@resultity/interface'
import { ElementType, GraphWriter } from '@resultity/onnx-graph'
import { type Blocks, convolvePlainly, integers, layerNorm, projectPlainly, toRows } from './blocks.ts'
import { type GraphInit, priorOf, weightsOf } from './graph-init.ts'
import { clipLayer } from './text-graph.ts'

/** What makes an embedding of a picture, as an ONNX model. */
export interface ClipSightGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** f32 `[1, 3, pictureSize, pictureSize]`, less the mean of pictures and over their deviation. */
  readonly pixels: string
  /** f32 `[1, embeddingSize]`. */
  readonly embedding: string
}

/**
 * Builds what looks at pictures beside a prior: a vision transformer of CLIP (Radford et al., arXiv:2103.00020).
 *
 * @throws MeshError `model_invalid` for a missing tensor, or a model without a prior
 */
export function buildClipSightGraph(init: GraphInit): ClipSightGraph {
  const graph = new GraphWriter()
  const edges = clipSightGraph({ graph, weights: weightsOf(init, graph, 'sight') }, priorOf(init))
  return { bytes: graph.finish(`${init.manifest.name} sight`), ...edges }
}

/** The graph's edges; what it asks for are the weights of the transformer. */
export function clipSightGraph(
  blocks: Blocks,
  { sight, embeddingSize }: Pick<PriorConfig, 'sight' | 'embeddingSize'>
): Omit<ClipSightGraph, 'bytes'> {
  const { graph } = blocks
  const { hiddenSize: size, epsilon, layerCount, pictureSize } = sight
  const pixels = graph.input('pixels', ElementType.float32, [1, 3, pictureSize, pictureSize])
  let rows = layerNorm(blocks, 'norm_before', placed(blocks, sight, pixels), { size, epsilon })
  for (let index = 0; index < layerCount; index++) {
    rows = clipLayer(blocks, `layer.${index}`, rows, { ...sight, causal: false })
  }
  const first = graph.node('Gather', 'first', [rows, integers(graph, 0)], { axis: 0 })
  const whole = layerNorm(blocks, 'norm_behind', first, { size, epsilon })
  const embedding = projectPlainly(blocks, 'embedding', whole, { inputs: size, outputs: embeddingSize })
  graph.output(embedding, ElementType.float32, [1, embeddingSize])
  return { pixels, embedding }
}

/** A row for each part of the picture, and one before them for the whole, each with its place. */
function placed(blocks: Blocks, sight: ClipSightConfig, pixels: string): string {
  const { graph, weights } = blocks
  const { hiddenSize: size, patchSize, pictureSize } = sight
  const convolution = { inputs: 3, outputs: size, taps: patchSize, stride: patchSize, pads: [0, 0] } as const
  const parts = toRows(blocks, 'parts', convolvePlainly(blocks, 'patches', pixels, convolution), size)
  const whole = weights.ask({ name: 'class_embedding', kind: 'vector', dims: [1, size] })
  const count = (pictureSize / patchSize) ** 2 + 1
  const places = weights.ask({ name: 'places_table', kind: 'table', dims: [count, size] })
  const rows = graph.node('Concat', 'rows', [whole, parts], { axis: 0 })
  return graph.node('Add', 'placed', [rows, places])
}
