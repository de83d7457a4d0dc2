import { floatInitializer, layerNorm, requirePlain, type TransformerLayer } from '@resultity/onnx-graph'

/** The tensors of what embeds tokens. */
export interface EmbeddingNames {
  readonly tokens: string
  readonly places: string
  readonly norm: string
}

/** The sum of a token and its place, normalized. */
export function embeddedTokens(
  part: Pick<TransformerLayer, 'graph' | 'located' | 'epsilon'>,
  names: EmbeddingNames,
  inputs: { readonly tokens: string; readonly positions: string }
): string {
  const { graph, located } = part
  const looked = (table: string, by: string): string => {
    const rows = floatInitializer(graph, located, requirePlain(located, table))
    return graph.node('Gather', `${table}_rows`, [rows, by], { axis: 0 })
  }
  const sum = [looked(names.tokens, inputs.tokens), looked(names.places, inputs.positions)]
  return layerNorm(part, names.norm, graph.node('Add', `${names.tokens}_placed`, sum))
}
