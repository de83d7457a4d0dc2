/** A decoder layer's keys and values of what is written about. */
export interface CrossEdges {
  /** f32 `[1, headCount, headDim, length]`. */
  readonly keys: string
  /** f32 `[1, headCount, length, headDim]`. */
  readonly values: string
}

/** Named alike in the graph that makes them and in the one that reads them. */
export function crossEdges(layer: number): CrossEdges {
  return { keys: `cross_keys_${layer}`, values: `cross_values_${layer}` }
}

/** What writes a text about something else, as an ONNX model. A run adds N tokens to those that the cache has. */
export interface CachedTextGraph {
  /** The serialized model. Weights are external data. */
  readonly bytes: Uint8Array
  /** int32 `[1, N]` token ids. */
  readonly tokens: string
  /** int64 `[N]`: position of each. */
  readonly positions: string
  /** int64 `[1]`: the first of the run's tokens whose logits are wanted; all behind it are, too. */
  readonly firstRow: string
  /** int32 `[1]`: position of the run's last token. */
  readonly lastPosition: string
  /** int32 scalar: tokens in the cache after the run. */
  readonly totalPositions: string
  /** Inputs: what the graph of the other side gives. */
  readonly cross: readonly CrossEdges[]
  /** f32 `[1, headCount, textContext, headDim]` each; what goes in and what comes out are bound to the same memory. */
  readonly cache: readonly { readonly past: string; readonly present: string }[]
  /** f32 `[rows, vocabularySize]`. */
  readonly logits: string
}
