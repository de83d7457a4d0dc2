import type { GraphWriter } from '@resultity/onnx-graph'
import { integers } from './blocks.ts'

/** Steps after which the slowest wave has gone round. */
const PERIOD_MAX = 10_000

/**
 * Numbers as waves of falling frequency (Ho et al., arXiv:2006.11239, after Vaswani et al., arXiv:1706.03762): cosines of all, then
 * sines.
 *
 * @param input f32 `[count]`
 * @param sizes of each number's waves, an even number
 * @returns f32 `[1, count · size]`
 */
export function waves(
  graph: GraphWriter,
  name: string,
  input: string,
  { count, size }: { readonly count: number; readonly size: number }
): string {
  const half = size / 2
  const frequencies = graph.constant(`${name}_frequencies`, frequenciesOf(half), [1, half])
  const column = graph.node('Reshape', `${name}_column`, [input, integers(graph, count, 1)])
  const angles = graph.node('Mul', `${name}_angles`, [column, frequencies])
  const sides = ['Cos', 'Sin'].map(operator => graph.node(operator, `${name}_${operator}`, [angles]))
  const rows = graph.node('Concat', `${name}_sides`, sides, { axis: 1 })
  return graph.node('Reshape', name, [rows, integers(graph, 1, count * size)])
}

/** Rounded to f32 at every step, as the programs round them that models are trained with: angles reach a thousand. */
function frequenciesOf(count: number): Float32Array {
  const { fround } = Math
  const rate = fround(-Math.log(PERIOD_MAX))
  return Float32Array.from({ length: count }, (_, index) => Math.exp(fround(fround(rate * index) / count)))
}
