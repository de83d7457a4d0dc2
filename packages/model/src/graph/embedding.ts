import type { ModelConfig } from '@resultity/interface'
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

/**
 * Looks up the rows of the tokens, converting only these: the table stays as it is stored, mapped from its file.
 * Returned as a sum with zero, because a layer's norm takes a sum.
 */
export function embed(graph: GraphWriter, { traits }: ModelConfig, located: LocatedFile): Residual {
  const tokens = graph.input(names.tokens, ElementType.int32, ['batch', 'positions'])
  const found = lookUp(graph, located, tokens)
  const scale = traits?.embeddingScale
  const rows =
    scale === undefined ? found : graph.node('Mul', 'embedded_scaled', [found, scalar(graph, 'embedding_scale', scale)])
  const zero = graph.constant('zero', Float32Array.of(0), [1])
  return { input: rows, skip: graph.node('Mul', 'no_skip', [rows, zero]) }
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
