import { ElementType, floatInitializer, type GraphWriter, type LocatedFile, requirePlain } from '@resultity/onnx-graph'

export interface Patches {
  /** Pixels a side of a picture. */
  readonly imageSize: number
  readonly patchSize: number
  /** Numbers of a patch's state. */
  readonly hiddenSize: number
}

/**
 * A state for each patch, row by row, f32 `[1, patches, hiddenSize]`.
 *
 * @param ends has the convolution as `patch` and `patch_bias`
 * @param pixels f32 `[1, 3, imageSize, imageSize]`
 */
export function patchStates(
  graph: GraphWriter,
  ends: LocatedFile,
  { imageSize, patchSize, hiddenSize }: Patches,
  pixels: string
): string {
  const tensor = requirePlain(ends, 'patch')
  const weights = graph.external({
    name: `${ends.prefix}patch`,
    elementType: ElementType.float32,
    dims: [hiddenSize, 3, patchSize, patchSize],
    location: ends.location,
    offset: tensor.data.offset,
    bytes: tensor.data.bytes
  })
  const bias = floatInitializer(graph, ends, requirePlain(ends, 'patch_bias'))
  const sides = [patchSize, patchSize]
  const tiles = graph.node('Conv', 'tiles', [pixels, weights, bias], { kernel_shape: sides, strides: sides })
  const rows = BigInt64Array.of(1n, BigInt(hiddenSize), BigInt((imageSize / patchSize) ** 2))
  const flat = graph.node('Reshape', 'tiles_flat', [tiles, graph.constant('tiles_shape', rows, [3])])
  return graph.node('Transpose', 'tile_states', [flat], { perm: [0, 2, 1] })
}
