import { coversExactly, type LayerRange, layerCount } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import {
  cutForOrder,
  ModelCosts,
  type ModelShape,
  type PlacementPlan,
  type PlacementShortfall,
  type PlannerNode,
  planPlacement,
  predictTokenTime
} from '../src/index.ts'
import { MIB, model, node } from './support/shapes.ts'

function planned(result: PlacementPlan | PlacementShortfall): PlacementPlan {
  if ('missing' in result) throw new Error(`no plan: ${result.reason}`)
  return result
}

function cuts(result: PlacementPlan | PlacementShortfall): Record<string, string> {
  return Object.fromEntries(planned(result).stages.map(s => [s.peerId, `${s.range.first}-${s.range.end}`]))
}

t.test('a plan is what the table says', async t => {
  const cases: {
    id: string
    layers?: number
    shape?: Partial<ModelShape>
    nodes: PlannerNode[]
    stages?: number
    want: Record<string, string>
  }[] = [
    { id: 'one node that fits is enough', nodes: [node('a', 40, 9), node('b', 40, 3)], want: { b: '0-30' } },
    {
      id: 'a tie goes to the smaller peer id',
      nodes: [node('b', 30, 1), node('a', 30, 1)],
      want: { a: '0-30' }
    },
    {
      id: 'equal nodes get equal shares',
      nodes: [node('a', 30, 1), node('b', 30, 1), node('c', 30, 1)],
      stages: 3,
      want: { a: '0-10', b: '10-20', c: '20-30' }
    },
    {
      id: 'speed decides the split',
      nodes: [node('a', 30, 1), node('b', 30, 2)],
      stages: 2,
      want: { a: '0-20', b: '20-30' }
    },
    {
      id: 'memory caps a fast node',
      nodes: [node('a', 4, 1), node('b', 30, 3)],
      stages: 2,
      want: { a: '0-4', b: '4-30' }
    },
    {
      id: 'the head weighs on the last stage',
      shape: { headBytes: 10 * MIB },
      nodes: [node('a', 60, 1), node('b', 60, 1)],
      stages: 2,
      want: { a: '0-20', b: '20-30' }
    },
    {
      id: 'links decide the order',
      layers: 3,
      nodes: [
        node('a', 1, 1, { rttMs: { b: 80, c: 2, d: 3 } }),
        node('b', 1, 1, { rttMs: { c: 80, d: 80 } }),
        node('c', 1, 1, { rttMs: { d: 4 } }),
        node('d', 1, 1)
      ],
      stages: 3,
      want: { a: '0-1', c: '1-2', d: '2-3' }
    },
    {
      id: 'nodes that do not reach each other are not beside each other',
      layers: 4,
      nodes: [node('a', 1, 1, { avoids: new Set(['b']) }), node('b', 1, 1), node('c', 1, 1), node('d', 1, 1)],
      stages: 4,
      want: { a: '0-1', c: '1-2', b: '2-3', d: '3-4' }
    },
    {
      id: 'nor in a ring of three, where all are',
      layers: 3,
      nodes: [node('a', 1, 1), node('b', 1, 1, { avoids: new Set(['a']) }), node('c', 1, 1), node('d', 1, 1)],
      stages: 3,
      want: { a: '0-1', c: '1-2', d: '2-3' }
    },
    {
      id: 'weights that are there already decide between equals',
      nodes: [node('a', 30, 1), node('b', 30, 1, { heldRanges: [{ first: 0, end: 30 }] })],
      want: { b: '0-30' }
    },
    {
      id: 'as many stages as layers leaves one layer each',
      layers: 2,
      nodes: [node('a', 2, 100), node('b', 2, 1)],
      stages: 2,
      want: { a: '0-1', b: '1-2' }
    }
  ]
  for (const { id, layers, shape, nodes, stages, want } of cases) {
    t.test(id, async t => {
      const input = { model: model(layers ?? 30, shape), stages: stages ?? ('auto' as const), hopMs: 1 }
      t.same(cuts(planPlacement({ ...input, nodes })), want)
      t.same(cuts(planPlacement({ ...input, nodes: nodes.toReversed() })), want, 'whatever order they are given in')
    })
  }
})

t.test('no plan names what is missing', async t => {
  const nodes = [node('a', 10, 1), node('b', 12, 1)]
  const input = { model: model(30), hopMs: 1 }
  t.match(planPlacement({ ...input, nodes, stages: 'auto' }), {
    missing: [{ first: 22, end: 30 }],
    bytesShort: 8 * MIB
  })
  t.match(planPlacement({ ...input, nodes: [], stages: 'auto' }), { missing: [{ first: 0, end: 30 }] })
  t.match(planPlacement({ ...input, nodes, stages: 3 }), { reason: '3 stages need 3 nodes and there are 2' })
  t.match(planPlacement({ ...input, nodes, stages: 31 }), { reason: /31 layers/ })
  t.match(planPlacement({ ...input, nodes, stages: 0 }), { reason: /no number/ })
})

t.test('a tied embedding counts on both ends, once on a single stage', async t => {
  const costs = new ModelCosts(model(4, { embeddingBytes: 8, headBytes: 1, tiedEmbedding: true, kvBytesPerLayer: 2 }))
  t.equal(costs.stageBytes({ first: 0, end: 4 }), 4 * (MIB + 2) + 9)
  t.equal(costs.stageBytes({ first: 0, end: 2 }), 2 * (MIB + 2) + 8)
  t.equal(costs.stageBytes({ first: 1, end: 2 }), MIB + 2)
  t.equal(costs.stageBytes({ first: 2, end: 4 }), 2 * (MIB + 2) + 9)
})

t.test('a token costs every stage and every link of the ring', async t => {
  const a = node('a', 9, 1, { rttMs: { b: 10 } })
  const b = node('b', 9, 2, { rttMs: { a: 20 } })
  const shape = model(4, { headBytes: 2 * MIB })
  const two = predictTokenTime(
    shape,
    [
      { node: a, range: { first: 0, end: 2 } },
      { node: b, range: { first: 2, end: 4 } }
    ],
    0.5
  )
  t.equal(two.tokenMs, 2 + (4 + 4) + 2 * (0.5 + 7.5))
  t.equal(two.bottleneckMs, 8)
  t.equal(predictTokenTime(shape, [{ node: a, range: { first: 0, end: 4 } }], 0.5).tokenMs, 6, 'one stage has no hop')
})

t.test('many nodes are planned in bounded work', async t => {
  const nodes = Array.from({ length: 64 }, (_, index) => node(`n${index}`, 8 + (index % 5), 1 + (index % 7)))
  const plan = planned(planPlacement({ model: model(80), nodes, stages: 'auto', hopMs: 1 }))
  t.equal(plan.stages.length, 7, 'seven of the nodes with room for 12 layers are the fewest that fit')
  t.equal(planned(planPlacement({ model: model(80), nodes, stages: 20, hopMs: 1 })).stages.length, 20)
})

const nodesArbitrary = fc
  .array(fc.record({ room: fc.integer({ min: 0, max: 9 }), ms: fc.integer({ min: 1, max: 9 }) }), { maxLength: 4 })
  .map(list => list.map(({ room, ms }, index) => node(`p${index}`, room, ms)))

const shapeArbitrary = fc.record({
  layerBytes: fc.array(fc.integer({ min: 1, max: 2 * MIB }), { minLength: 1, maxLength: 9 }),
  embeddingBytes: fc.integer({ min: 0, max: MIB }),
  headBytes: fc.integer({ min: 0, max: MIB }),
  tiedEmbedding: fc.boolean(),
  kvBytesPerLayer: fc.integer({ min: 0, max: MIB })
})

/** Every way to cut `layers` into `count` non-empty ranges. */
function allCuts(layers: number, count: number, first = 0): LayerRange[][] {
  if (count === 1) return first < layers ? [[{ first, end: layers }]] : []
  const found: LayerRange[][] = []
  for (let end = first + 1; end < layers; end++) {
    for (const rest of allCuts(layers, count - 1, end)) found.push([{ first, end }, ...rest])
  }
  return found
}

function permutations(nodes: PlannerNode[], count: number): PlannerNode[][] {
  if (count === 0) return [[]]
  return nodes.flatMap(one =>
    permutations(
      nodes.filter(other => other !== one),
      count - 1
    ).map(rest => [one, ...rest])
  )
}

/** The slowest stage of the best way to cut over this order, by trying all. */
function bruteForceBottleneck(costs: ModelCosts, order: PlannerNode[]): number {
  let best = Number.POSITIVE_INFINITY
  for (const ranges of allCuts(costs.layerCount, order.length)) {
    const stages = ranges.map((range, index) => ({ range, node: order[index] ?? node('none', 0, 0) }))
    if (stages.some(stage => costs.stageBytes(stage.range) > stage.node.memoryFreeBytes)) continue
    best = Math.min(best, Math.max(...stages.map(stage => costs.stageMs(stage.node, stage.range))))
  }
  return best
}

t.test('every plan covers the model, fits the memory, and nothing smaller or better balanced exists', async () => {
  assertProperty(
    fc.property(shapeArbitrary, nodesArbitrary, (shape, nodes) => {
      const costs = new ModelCosts(shape)
      const result = planPlacement({ model: shape, nodes, stages: 'auto', hopMs: 0.5 })
      const most = 'missing' in result ? nodes.length : result.stages.length - 1
      for (let count = 1; count <= most; count++) {
        for (const order of permutations(nodes, count)) {
          if (bruteForceBottleneck(costs, order) !== Number.POSITIVE_INFINITY) return false
        }
      }
      if ('missing' in result) return true
      const best = Math.min(...permutations(nodes, most + 1).map(order => bruteForceBottleneck(costs, order)))
      return (
        coversExactly(
          result.stages.map(stage => stage.range),
          costs.layerCount
        ) &&
        new Set(result.stages.map(stage => stage.peerId)).size === result.stages.length &&
        result.stages.every(s => s.memoryBytes <= (nodes.find(n => n.peerId === s.peerId)?.memoryFreeBytes ?? 0)) &&
        result.stages.every(stage => layerCount(stage.range) > 0) &&
        Math.abs(result.bottleneckMs - best) < 1e-6 * best + 1e-9
      )
    }),
    { numRuns: 200 }
  )
})

t.test('a cut for a given order is as balanced as any', async () => {
  assertProperty(
    fc.property(shapeArbitrary, nodesArbitrary, (shape, nodes) => {
      if (nodes.length === 0) return true
      const costs = new ModelCosts(shape)
      const best = bruteForceBottleneck(costs, nodes)
      const ranges = cutForOrder(costs, nodes)
      if (ranges === undefined) return best === Number.POSITIVE_INFINITY
      const slowest = Math.max(...ranges.map((range, i) => costs.stageMs(nodes[i] ?? node('none', 0, 0), range)))
      return Math.abs(slowest - best) < 1e-6 * best + 1e-9
    }),
    { numRuns: 300 }
  )
})

t.test('the order in which nodes are given changes nothing', async () => {
  assertProperty(
    fc.property(shapeArbitrary, nodesArbitrary, fc.integer({ min: 1, max: 4 }), (shape, nodes, stages) => {
      const input = { model: shape, stages, hopMs: 1 }
      const forth = JSON.stringify(planPlacement({ ...input, nodes }))
      return forth === JSON.stringify(planPlacement({ ...input, nodes: nodes.toReversed() }))
    })
  )
})

t.test('where links leave no order, that is the reason', async t => {
  const nodes = ['a', 'b'].map(peerId => node(peerId, 2, 1, { avoids: new Set(['a', 'b']) }))
  const plan = planPlacement({ model: model(4), nodes, stages: 'auto', hopMs: 1 })
  t.match(plan, { missing: [], reason: /the links between them that work/ })
})

t.test('many nodes that avoid each other are given up in time', async t => {
  const names = Array.from({ length: 40 }, (_, index) => `n${index}`)
  const nodes = names.map(name => node(name, 1, 1, { avoids: new Set(names) }))
  t.match(planPlacement({ model: model(40), nodes, stages: 'auto', hopMs: 1 }), { missing: [] })
})

t.test('a model of sections is cut between them, and each stage has room for its largest run', async t => {
  // text, a denoiser, a decoder whose runs take most
  const shape = { ...model(6), cuts: [1, 4], workBytes: [1, 3, 3, 3, 9, 9].map(mib => mib * MIB) }
  const plan = (nodes: PlannerNode[], stages: 'auto' | number = 'auto') =>
    planPlacement({ model: shape, nodes, stages, hopMs: 1 })
  t.strictSame(cuts(plan([node('a', 15, 1), node('b', 20, 1)])), { a: '0-6' }, 'one node that fits is enough')
  t.strictSame(cuts(plan([node('a', 14, 1), node('b', 7, 1)])), { b: '0-4', a: '4-6' })
  t.strictSame(cuts(plan([node('a', 11, 1), node('b', 6, 1), node('c', 2, 1)])), { c: '0-1', b: '1-4', a: '4-6' })
  t.strictSame(cuts(plan([node('a', 40, 1), node('b', 40, 2), node('c', 40, 3)], 3)), { a: '1-4', b: '4-6', c: '0-1' })
  t.match(
    plan([node('a', 10, 1), node('b', 10, 1), node('c', 10, 1)]),
    { reason: /memory/ },
    'the decoder fits nowhere'
  )
  const four = plan(
    ['a', 'b', 'c', 'd'].map(id => node(id, 40, 1)),
    4
  )
  t.match(four, { reason: /4 stages need 4/ })
})
