import type { DecoderManifest } from '@resultity/interface'
import {
  codeBits,
  ElementType,
  type GraphWriter,
  type LocatedFile,
  plainInitializer,
  quantizedInitializers,
  requireTensor
} from '@resultity/onnx-graph'
import type { Residual } from './decoder-layer.ts'
import { names } from './names.ts'

/** What {@link embed} makes, and the input of states that are looked up nowhere, where the model has it. */
export interface Embedded {
  readonly residual: Residual
  /** f32 `[B, P, hiddenSize]`: read where the token is negative. */
  readonly shown: string | undefined
}

/**
 * Looks up the rows of the tokens, converting only these: the table stays as it is stored, mapped from its file.
 * Returned as a sum with zero, because a layer's norm takes a sum.
 */
export function embed(graph: GraphWriter, { config, sight }: DecoderManifest, located: LocatedFile): Embedded {
  const { traits, hiddenSize } = config
  const tokens = graph.input(names.tokens, ElementType.int32, ['batch', 'positions'])
  const least = (): string => graph.constant('first_token', Int32Array.of(0), [1])
  const known = sight === undefined ? tokens : graph.node('Max', 'known_tokens', [tokens, least()])
  const found = lookUp(graph, located, known)
  const scale = traits?.embeddingScale
  const rows =
    scale === undefined ? found : graph.node('Mul', 'embedded_scaled', [found, scalar(graph, 'embedding_scale', scale)])
  const zero = graph.constant('zero', Float32Array.of(0), [1])
  const summed = (input: string): Residual => ({ input, skip: graph.node('Mul', 'no_skip', [input, zero]) })
  if (sight === undefined) return { residual: summed(rows), shown: undefined }
  const shown = graph.input(names.shown, ElementType.float32, ['batch', 'positions', hiddenSize])
  const unknown = graph.node('Greater', 'unknown_tokens', [least(), tokens])
  const axis = graph.constant('last_axis', BigInt64Array.of(2n), [1])
  const choice = graph.node('Unsqueeze', 'shown_where', [unknown, axis])
  return { residual: summed(graph.node('Where', 'embedded_or_shown', [choice, shown, rows])), shown }
}

function scalar(graph: GraphWriter, name: string, value: number): string {
  return graph.constant(name, Float32Array.of(value), [1])
}

function lookUp(graph: GraphWriter, located: LocatedFile, tokens: string): string {
  const table = requireTensor(located, 'embedding')
  if ('scales' in table) {
    const bits = codeBits(table)
    const { codes, scales } = quantizedInitializers(graph, located, table, {
      suffix: 'table',
      dims: [table.rows, (table.columns * bits) / 8]
    })
    return graph.node('GatherBlockQuantized', 'embedded', [codes, tokens, scales], {
      gather_axis: 0,
      quantize_axis: 1,
      block_size: table.blockSize,
      bits
    })
  }
  const rows = graph.node('Gather', 'embedded_rows', [plainInitializer(graph, located, table), tokens], { axis: 0 })
  if (table.encoding === 'f32') return rows
  return graph.node('Cast', 'embedded', [rows], { to: ElementType.float32 })
}
