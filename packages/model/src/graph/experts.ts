import { type Experts, MeshError, type ModelConfig, type TensorEntry } from '@resultity/interface'
import { type Branch, ElementType, GraphWriter, type LocatedFile, project } from '@resultity/onnx-graph'
import { type FeedForwardSizes, feedForward } from './feed-forward.ts'

/**
 * A feed-forward of which each position takes some experts (Shazeer et al., arXiv:1701.06538): those with the largest numbers
 * from the router, of equal ones that with the lower index.
 *
 * Every expert has operators of its own, and multiplies by its weights the positions that took it. Where nobody took it, its
 * operators have no rows, and end at once. The runtime's own operators (`MoE`, `QMoE`) give a position other bits in other
 * company, and are many times slower.
 *
 * @param input name of the normalized hidden state, `[batch, positions, hidden]`
 * @returns name of the result, of the same shape
 */
export function routedFeedForward(
  graph: GraphWriter,
  config: ModelConfig,
  located: LocatedFile,
  { experts, input }: { readonly experts: Experts; readonly input: string }
): string {
  const { count, used, sharedSize } = experts
  const edge = (name: string): string => `${located.prefix}${name}`
  const integers = (name: string, ...values: number[]): string =>
    graph.constant(`experts_${name}`, BigInt64Array.from(values, BigInt), [values.length])
  // P positions of all sessions, each a batch of its own: pooling, which 4-bit formats need, takes no fewer than one row of a batch
  const rows = graph.node('Reshape', edge('rows'), [input, integers('rows_shape', -1, 1, config.hiddenSize)])
  const { shares, chosen } = route(graph, located, experts, rows)

  // a seat is a place of a position at an expert: seat s is of position s / used; here in the order of the experts
  const seatExperts = graph.node('Reshape', edge('seat_experts'), [chosen, integers('one_row', 1, -1)])
  const indices = graph.constant(
    'experts_indices',
    BigInt64Array.from({ length: count }, (_, i) => BigInt(i)),
    [count, 1]
  )
  const taken = graph.node('Equal', edge('taken'), [seatExperts, indices])
  const counted = graph.node('Cast', edge('taken_numbers'), [taken], { to: ElementType.int64 })
  const counts = graph.node('ReduceSum', edge('counts'), [counted, integers('axis', 1)], { keepdims: 0 })
  const places = [edge('expert_rows'), edge('seat_row')] as const
  graph.nodeWithOutputs('Split', places, [graph.node('NonZero', edge('places'), [taken]), integers('halves', 1, 1)], {
    axis: 0
  })
  const seats = graph.node('Reshape', edge('seats'), [places[1], integers('flat', -1)])
  const positions = graph.node('Div', edge('seat_positions'), [seats, integers('used', used)])

  const seated = graph.node('Gather', edge('seated'), [rows, positions], { axis: 0 })
  const seatCount = graph.node('Shape', edge('seat_count'), [seats])
  const given = edge('given')
  // always true; a branch is planned by itself, and to plan the operators of many experts at once takes the square of their number
  graph.choice(graph.node('Greater', edge('some_seats'), [seatCount, integers('none', 0)]), [given], {
    whenTrue: eachExpert(config, located, experts, { seated, counts }),
    whenFalse: unchanged(seated)
  })

  // back in the order of the seats, the seats of a position side by side
  const order = edge('seat_order')
  graph.nodeWithOutputs('TopK', [edge('seats_sorted'), order], [seats, seatCount], { largest: 0 })
  const back = graph.node('Gather', edge('given_back'), [given, order], { axis: 0 })
  const byPosition = graph.node('Reshape', edge('by_position'), [
    back,
    integers('seats_shape', -1, used, config.hiddenSize)
  ])
  const sum = graph.node('MatMul', edge('shared'), [shares, byPosition])
  const routed = graph.node('Reshape', edge('routed_out'), [sum, graph.node('Shape', edge('routed_shape'), [input])])
  if (sharedSize === undefined) return routed
  const shared = sharedFeedForward(graph, { traits: config.traits, intermediateSize: sharedSize }, located, input)
  return graph.node('Add', edge('routed_and_shared'), [routed, shared])
}

/** What each expert gives of the rows that it has, of all seats one after the other. */
function eachExpert(
  { traits }: ModelConfig,
  located: LocatedFile,
  { count, size }: Experts,
  { seated, counts }: { readonly seated: string; readonly counts: string }
): Branch {
  const graph = new GraphWriter()
  const edge = (name: string): string => `${located.prefix}${name}`
  const inputs = Array.from({ length: count }, (_, expert) => edge(`expert_${expert}_in`))
  graph.nodeWithOutputs('Split', inputs, [seated, counts], { axis: 0 })
  const outputs = inputs.map((rows, expert) => {
    const file = partOfFile(located, 'expert', `expert_${expert}`, tensor => partOf(tensor, expert, count))
    return feedForward(graph, { traits, intermediateSize: size }, file, rows)
  })
  return { graph, outputs: [graph.node('Concat', edge('given_by_each'), outputs, { axis: 0 })] }
}

function unchanged(seated: string): Branch {
  const graph = new GraphWriter()
  return { graph, outputs: [graph.node('Identity', `${seated}_unchanged`, [seated])] }
}

/** An expert that every position takes, by a share between 0 and 1. */
function sharedFeedForward(graph: GraphWriter, sizes: FeedForwardSizes, located: LocatedFile, input: string): string {
  const number = project(graph, located, 'shared_router', input)
  const share = graph.node('Sigmoid', `${located.prefix}shared_share`, [number])
  const given = feedForward(graph, sizes, partOfFile(located, 'shared', 'shared'), input)
  return graph.node('Mul', `${located.prefix}shared_given`, [given, share])
}

/** Which experts each position takes, and by what it multiplies what they give: `[P, 1, used]` both, the largest first. */
function route(
  graph: GraphWriter,
  located: LocatedFile,
  { used, normalized }: Experts,
  rows: string
): { readonly shares: string; readonly chosen: string } {
  const edge = (name: string): string => `${located.prefix}router_${name}`
  const softmax = (name: string, input: string): string => graph.node('Softmax', edge(name), [input], { axis: -1 })
  const numbers = project(graph, located, 'router', rows)
  const [largest, chosen] = [edge('largest'), edge('chosen')] as const
  const most = graph.constant('experts_used_max', BigInt64Array.of(BigInt(used)), [1])
  // the softmax of all, divided by the sum of those that are taken, is the softmax of these
  const compared = normalized === true ? numbers : softmax('shares_of_all', numbers)
  graph.nodeWithOutputs('TopK', [largest, chosen], [compared, most], { axis: -1 })
  return { shares: normalized === true ? softmax('shares', largest) : largest, chosen }
}

/** The layer's file as one of its feed-forwards reads it: `KIND_NAME` is its NAME. */
function partOfFile(
  located: LocatedFile,
  kind: 'expert' | 'shared',
  prefix: string,
  part: (tensor: TensorEntry) => TensorEntry = tensor => tensor
): LocatedFile {
  const { file } = located
  const tensors = file.tensors
    .filter(({ name }) => name.startsWith(`${kind}_`))
    .map(tensor => ({ ...part(tensor), name: tensor.name.slice(kind.length + 1) }))
  return { ...located, file: { ...file, tensors }, prefix: `${located.prefix}${prefix}_` }
}

/**
 * One of `count` matrices that a tensor holds.
 *
 * @throws MeshError `model_invalid` where it holds another number of them
 */
function partOf(tensor: TensorEntry, index: number, count: number): TensorEntry {
  const rowsOfAll = 'scales' in tensor ? tensor.rows : (tensor.shape[0] ?? 0)
  if (rowsOfAll % count !== 0) {
    const message = `tensor "${tensor.name}" has ${rowsOfAll} rows, which are not those of ${count} experts`
    throw new MeshError('model_invalid', message, { hint: 'import the model again' })
  }
  const rows = rowsOfAll / count
  const part = (extent: TensorEntry['data']): TensorEntry['data'] => {
    const bytes = extent.bytes / count
    return { offset: extent.offset + index * bytes, bytes }
  }
  if (!('scales' in tensor)) return { ...tensor, shape: [rows, ...tensor.shape.slice(1)], data: part(tensor.data) }
  const { data, scales, zeroPoints } = tensor
  return {
    ...tensor,
    rows,
    data: part(data),
    scales: part(scales),
    ...(zeroPoints === undefined ? {} : { zeroPoints: part(zeroPoints) })
  }
}
