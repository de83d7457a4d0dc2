import t from 'tap'
import { type PlannerNode, repairPlacement } from '../src/index.ts'
import { model, node } from './support/shapes.ts'

const stages = [
  { peerId: 'a', range: { first: 0, end: 2 } },
  { peerId: 'b', range: { first: 2, end: 4 } },
  { peerId: 'c', range: { first: 4, end: 6 } }
]

/** A node of two layers that does not reach others. */
function avoiding(peerId: string, ...others: string[]): PlannerNode {
  return node(peerId, 2, 1, { avoids: new Set(others) })
}

t.test('a repair is what the table says', async t => {
  const cases: { id: string; nodes: PlannerNode[]; want: string | undefined }[] = [
    { id: 'nobody is gone', nodes: [node('a', 2, 1), node('b', 2, 1), node('c', 2, 1)], want: 'a0 b2 c4' },
    {
      id: 'the faster of two takes the hole',
      nodes: [node('a', 2, 1), node('c', 2, 1), node('d', 9, 5), node('e', 9, 4)],
      want: 'a0 e2 c4'
    },
    {
      id: 'a tie goes to the smaller peer id',
      nodes: [node('e', 9, 1), node('d', 9, 1), node('c', 2, 1), node('a', 2, 1)],
      want: 'a0 d2 c4'
    },
    {
      id: 'weights that are there count',
      nodes: [
        node('a', 2, 1),
        node('c', 2, 1),
        node('d', 9, 1),
        node('e', 9, 1.05, { heldRanges: [{ first: 2, end: 4 }] })
      ],
      want: 'a0 e2 c4'
    },
    { id: 'two holes go to two nodes', nodes: [node('b', 2, 1), node('d', 9, 1), node('e', 9, 2)], want: 'd0 b2 e4' },
    { id: 'a hole that fits nobody', nodes: [node('a', 2, 1), node('c', 2, 1), node('d', 1, 1)], want: undefined },
    { id: 'one node for two holes', nodes: [node('b', 2, 1), node('d', 9, 1)], want: undefined },
    { id: 'nobody is left', nodes: [node('d', 9, 1), node('e', 9, 1), node('f', 9, 1)], want: undefined },
    {
      id: 'one that has no room any more is gone too',
      nodes: [node('a', 2, 1), node('b', 1, 1), node('c', 2, 1), node('d', 2, 9)],
      want: 'a0 d2 c4'
    },
    {
      id: 'one of two that do not reach each other goes',
      nodes: [avoiding('a', 'b'), avoiding('b', 'a'), node('c', 2, 1), node('d', 2, 1)],
      want: 'a0 d2 c4'
    },
    {
      id: 'the one that more do not reach',
      nodes: [avoiding('a', 'b', 'x'), avoiding('b', 'a'), node('c', 2, 1), node('d', 2, 1)],
      want: 'd0 b2 c4'
    },
    {
      id: 'the one that is done without at less cost',
      nodes: [avoiding('a', 'b'), { ...avoiding('b', 'a'), msPerLayer: 0.1 }, node('c', 2, 1), node('d', 2, 1)],
      want: 'd0 b2 c4'
    },
    {
      id: 'nobody takes a hole beside whom it does not reach',
      nodes: [avoiding('a', 'd'), node('c', 2, 1), avoiding('d', 'a'), node('e', 2, 9)],
      want: 'a0 e2 c4'
    },
    {
      id: 'the last is beside the first',
      nodes: [avoiding('a', 'c'), node('b', 2, 1), avoiding('c', 'a'), node('d', 2, 1)],
      want: 'd0 b2 c4'
    },
    {
      id: 'no way round a link',
      nodes: [avoiding('a', 'b'), avoiding('b', 'a'), node('c', 2, 1)],
      want: undefined
    }
  ]
  for (const { id, nodes, want } of cases) {
    const plan = repairPlacement({ model: model(6), stages, nodes, hopMs: 1 })
    t.equal(plan?.stages.map(({ peerId, range }) => `${peerId}${range.first}`).join(' '), want, id)
  }
})

t.test('a hole goes to a node that computes like the one before', async t => {
  const placed = stages.map(stage => ({ ...stage, kernels: stage.peerId === 'c' ? 'y' : 'x' }))
  const of = (peerId: string, kernels: string | undefined, ms = 1, layers = 2): PlannerNode =>
    node(peerId, layers, ms, kernels === undefined ? {} : { kernels })
  const [a, b, c] = [of('a', 'x'), of('b', 'x'), of('c', 'y')]
  const cases: { id: string; nodes: PlannerNode[]; want: string }[] = [
    { id: 'though it is slower', nodes: [a, c, of('d', 'y'), of('e', 'x', 9)], want: 'a0 e2 c4' },
    { id: 'each hole by its own class', nodes: [a, of('d', 'x', 9), of('e', 'y', 9), of('f', 'z')], want: 'a0 d2 e4' },
    { id: 'any other where there is none', nodes: [a, c, of('d', 'y', 2), of('e', 'z')], want: 'a0 e2 c4' },
    { id: 'one that did not say may do', nodes: [a, c, of('d', 'y'), of('e', undefined, 2)], want: 'a0 e2 c4' },
    {
      id: 'nor does a link that fails cost exactness that the other end of it would not',
      nodes: [{ ...a, avoids: new Set(['b']) }, { ...b, avoids: new Set(['a', 'q']) }, of('c', 'y'), of('d', 'x', 9)],
      want: 'a0 d2 c4'
    }
  ]
  for (const { id, nodes, want } of cases) {
    const plan = repairPlacement({ model: model(6), stages: placed, nodes, hopMs: 1 })
    t.equal(plan?.stages.map(({ peerId, range }) => `${peerId}${range.first}`).join(' '), want, id)
  }
})

t.test('where that would leave too little for another hole, all are filled all the same', async t => {
  const uneven = [
    { peerId: 'a', range: { first: 0, end: 1 }, kernels: 'x' },
    { peerId: 'b', range: { first: 1, end: 4 }, kernels: 'x' },
    { peerId: 'c', range: { first: 4, end: 6 }, kernels: 'x' }
  ]
  const nodes = [node('c', 2, 1), node('d', 9, 1, { kernels: 'x' }), node('e', 1, 0.5, { kernels: 'z' })]
  const plan = repairPlacement({ model: model(6), stages: uneven, nodes, hopMs: 1 })
  t.same(
    plan?.stages.map(({ peerId }) => peerId),
    ['e', 'd', 'c']
  )
})

t.test('stages that serve on hold their memory: it is there for the ranges that stay, and for no other', async t => {
  const ring = ['a', 'b', 'c', 'd'].map((peerId, index) => ({
    peerId,
    range: { first: index * 2, end: index * 2 + 2 }
  }))
  const of = (nodes: readonly PlannerNode[], loaded: boolean): string | undefined => {
    const plan = repairPlacement({ model: model(8), stages: ring, nodes, hopMs: 1, loaded })
    return plan?.stages.map(({ peerId, range }) => `${peerId}${range.first}`).join(' ')
  }
  const full = [node('a', 0, 1), node('b', 0, 1), node('d', 0, 1)]
  t.equal(of([...full, node('e', 2, 1)], true), 'a0 b2 e4 d6')
  t.equal(of([...full, node('e', 1, 1)], true), undefined)
  // b goes from beside a, and c has gone: two holes, and b could take the second
  const apart = (room: number): PlannerNode[] => [
    node('a', 2, 1, { avoids: new Set(['b']) }),
    node('b', room, 1, { avoids: new Set(['a', 'x']) }),
    node('d', 2, 1),
    node('e', 2, 1)
  ]
  t.equal(of(apart(2), false), 'a0 e2 b4 d6')
  t.equal(of(apart(2), true), 'a0 e2 b4 d6', 'with room for both')
  t.not(of(apart(0), true), 'a0 e2 b4 d6', 'not where its old range is in the way')
})

t.test('it says what it costs', async t => {
  const nodes = [node('a', 2, 1), node('c', 2, 1), node('d', 9, 3, { heldRanges: [{ first: 3, end: 4 }] })]
  const held = nodes.map(one => (one.peerId === 'd' ? one : { ...one, heldRanges: [{ first: 0, end: 6 }] }))
  const plan = repairPlacement({ model: model(6), stages, nodes: held, hopMs: 1 })
  t.match(plan, { tokenMs: 2 + 6 + 2 + 3, bottleneckMs: 6, bytesToMove: 2 ** 20 })
})
