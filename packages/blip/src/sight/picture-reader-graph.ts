import { type ManifestSight, patchCount, statesOfPiece, type WeightFile } from '@resultity/interface'
import {
  attendToAll,
  ElementType,
  feedForward,
  floatInitializer,
  GraphWriter,
  type LocatedFile,
  layerNorm,
  project,
  requirePlain
} from '@resultity/onnx-graph'
import { patchStates } from '../graph/patch-states.ts'

export interface PictureReaderGraphInit {
  readonly sight: ManifestSight
  /** Numbers of a state of the decoder. */
  readonly hiddenSize: number
  /** Name of the weight file, relative to the directory the graph is loaded from. */
  weightLocation(file: WeightFile): string
  /** Also gives the states behind each layer, for comparison with a reference. Default false. */
  readonly everyState?: boolean
}

/** What makes a piece of a picture into states that take the place of tokens, as an ONNX model. */
export interface PictureReaderGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** f32 `[1, 3, imageSize, imageSize]`. */
  readonly pixels: string
  /** Output: f32 `[1, statesOfPiece, hiddenSize]`. */
  readonly shown: string
  /** Outputs, where every state was asked for: f32 `[1, patches, size]` of the patches, behind each layer, and normalized. */
  readonly seen: readonly string[]
}

/**
 * Builds the encoder of an Idefics 3 (Laurençon et al., arXiv:2408.12637): SigLIP's vision transformer (Zhai et al.,
 * arXiv:2303.15343), of whose states squares are put one behind the other and projected to the size of the decoder's.
 *
 * @throws MeshError `model_invalid` for a missing tensor
 */
export function buildPictureReaderGraph(init: PictureReaderGraphInit): PictureReaderGraph {
  const { sight, hiddenSize } = init
  const { imageSize, tower } = sight.config
  const located = sight.files.map(
    (file, index): LocatedFile => ({ file, location: init.weightLocation(file), prefix: `seen_${index}_` })
  )
  const [ends, ...layers] = located
  if (ends === undefined) throw new RangeError('a manifest lists files of what looks at pictures')
  const graph = new GraphWriter()
  const pixels = graph.input('pixels', ElementType.float32, [1, 3, imageSize, imageSize])
  const patches = patchStates(graph, ends, { ...sight.config, hiddenSize: tower.hiddenSize }, pixels)
  const places = floatInitializer(graph, ends, requirePlain(ends, 'places'))
  const seen = [graph.node('Add', 'patches_placed', [patches, places])]
  for (const file of layers) {
    const layer = { graph, located: file, ...tower, activation: 'gelu_tanh' as const }
    seen.push(feedForward(layer, attendToAll(layer, seen.at(-1) ?? '')))
  }
  seen.push(layerNorm({ graph, located: ends, epsilon: tower.epsilon }, 'seen_norm', seen.at(-1) ?? ''))
  const shown = project(graph, ends, 'connector', shuffled(graph, sight.config, seen.at(-1) ?? ''))
  graph.output(shown, ElementType.float32, [1, statesOfPiece(sight.config), hiddenSize])
  if (init.everyState === true) {
    for (const state of seen) graph.output(state, ElementType.float32, [1, patchCount(sight.config), tower.hiddenSize])
  }
  return { bytes: graph.finish('picture reader'), pixels, shown, seen: init.everyState === true ? seen : [] }
}

/** The states of squares of `shuffle` patches a side, row by row, as one each (pixel shuffle, Shi et al., arXiv:1609.05158, backwards). */
function shuffled(
  graph: GraphWriter,
  { imageSize, patchSize, shuffle, tower }: ManifestSight['config'],
  states: string
): string {
  const side = imageSize / patchSize
  const shape = (name: string, ...sizes: number[]): string =>
    graph.constant(name, BigInt64Array.from(sizes, BigInt), [sizes.length])
  const apart = shape('squares_apart', 1, side / shuffle, shuffle, side / shuffle, shuffle * tower.hiddenSize)
  const rows = graph.node('Reshape', 'in_squares', [states, apart])
  const squares = graph.node('Transpose', 'squares', [rows], { perm: [0, 1, 3, 2, 4] })
  const together = shape('squares_together', 1, (side / shuffle) ** 2, shuffle ** 2 * tower.hiddenSize)
  return graph.node('Reshape', 'squares_flat', [squares, together])
}
