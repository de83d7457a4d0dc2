import t from 'tap'
import { ElementType, GraphWriter } from '../src/index.ts'

/** Whether the encoded model holds this text: names stand in it as they are. */
function has(model: Uint8Array, text: string): boolean {
  return Buffer.from(model).includes(text)
}

t.test('a graph is nodes, constants, inputs and outputs', async t => {
  const graph = new GraphWriter()
  const input = graph.input('numbers', ElementType.float32, ['rows', 3])
  const weight = graph.external({
    name: 'weight',
    elementType: ElementType.float32,
    dims: [3, 2],
    location: 'weights.bin',
    offset: 4096,
    bytes: 24
  })
  const product = graph.node('MatMul', 'product', [input, weight])
  const two = graph.constant('two', Float32Array.of(2), [1])
  graph.output(graph.node('Mul', 'doubled', [product, two]), ElementType.float32, ['rows', 2])
  const model = graph.finish('example')
  for (const text of ['example', 'numbers', 'rows', 'weights.bin', '4096', 'MatMul', 'doubled']) t.ok(has(model, text))
})

t.test("an operator that is not ONNX's own is Microsoft's", async t => {
  const own = new GraphWriter()
  own.node('MatMul', 'out', ['a', 'b'])
  const other = new GraphWriter()
  other.node('MatMulNBits', 'out', ['a', 'b', 'c'])
  const domains = (graph: GraphWriter) => JSON.stringify(graph.proto('g')).includes('com.microsoft')
  t.notOk(domains(own))
  t.ok(domains(other))
})

t.test('the same constant or weight may be asked for again, and is there once', async t => {
  const graph = new GraphWriter()
  for (let time = 0; time < 2; time++) graph.constant('two', Float32Array.of(2), [1])
  t.match(graph.proto('g'), { initializer: { length: 1 } })
})

t.test('branches of a choice are graphs of their own', async t => {
  const branch = (operator: string) => {
    const graph = new GraphWriter()
    return { graph, outputs: [graph.node(operator, `by_${operator}`, ['x'])] }
  }
  const graph = new GraphWriter()
  graph.choice('flag', ['chosen'], { whenTrue: branch('Tanh'), whenFalse: branch('Identity') })
  const model = graph.finish('choice')
  for (const text of ['then_branch', 'else_branch', 'by_Tanh', 'by_Identity']) t.ok(has(model, text))
})
