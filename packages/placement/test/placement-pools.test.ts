import { formatRange, type SubcloudDefinition } from '@resultity/interface'
import { advert, ManualClock, placeable } from '@resultity/test-nodes'
import t from 'tap'
import { NodeRegistry } from '../src/membership/node-registry.ts'
import type { PlaceableModel } from '../src/placement/placeable-model.ts'
import type { Placement, StageReport } from '../src/placement/placement.ts'
import { PlacementDirector } from '../src/placement/placement-director.ts'
import { ServedModels } from '../src/served-models.ts'
import { NodePools } from '../src/subclouds/node-pools.ts'
import { Subclouds } from '../src/subclouds/subclouds.ts'

const NOTHING = { bytesDone: 0, bytesTotal: 0, decodeMsPerLayer: 0, fixedDecodeMs: 0, selfTestSha256: '' }
const READY: StageReport = { state: 'ready', ...NOTHING }

/** Nodes by name, with room for one whole model each and a region. */
function setUp(subclouds: Record<string, SubcloudDefinition>, stages: 'auto' | number = 'auto') {
  const clock = new ManualClock()
  const registry = new NodeRegistry(clock, { nodesMax: 100, silenceMaxMs: 3000 })
  const assignments: string[] = []
  let ids = 0
  const defined = new Subclouds()
  const models = new ServedModels()
  const pools = new NodePools({ subclouds: defined, models })
  const director: PlacementDirector = new PlacementDirector(
    {
      registry,
      clock,
      pools,
      newId: () => `p${++ids}`,
      assignments: {
        assign: (placement, stage) => assignments.push(`${placement.id} ${stage.peerId}${formatRange(stage.range)}`),
        release: (peerId, placementId) => assignments.push(`release ${placementId} ${peerId}`)
      }
    },
    { stages, fewerStagesAfterMs: 0, assignmentRetryMs: 1000, assignmentSilenceMs: 60_000, onDemandIdleMs: 600_000 }
  )
  registry.onChange(change => director.nodeChanged(change))
  defined.onChange(() => {
    director.poolsChanged()
    director.reconcile()
  })
  const define = (definitions: Record<string, SubcloudDefinition>): void =>
    defined.define(Object.entries(definitions).map(([name, definition]) => ({ name, definition })))
  define(subclouds)
  const join = (peerId: string, region: string, layersOfRoom = 4.5): void => {
    registry.join(advert(peerId, layersOfRoom, { labels: { region } }))
  }
  const serve = (model: PlaceableModel): void => {
    // nobody asks it anything
    const nothing = undefined as never
    const served = { id: model.name, aliases: [], placeable: model, createdAt: 0 }
    models.add({ kind: 'decoder', ...served, tokenizer: nothing, prompts: nothing })
    director.addModel(model)
  }
  const allReady = (placement: Placement | undefined): void => {
    for (const stage of placement?.stages ?? []) director.report(stage.peerId, placement?.id ?? '', READY)
  }
  return {
    clock,
    registry,
    director,
    pools,
    define,
    join,
    serve,
    allReady,
    takeAssignments: () => assignments.splice(0)
  }
}

t.test(
  'nodes that a subcloud has for itself serve it alone, and its models are placed before anybody asks',
  async t => {
    const { director, pools, join, serve, allReady, takeAssignments } = setUp({
      eu: { region: 'eu', isolated: true, models: ['specimen'] }
    })
    const model = placeable(4)
    serve(model)
    join('a', 'eu')
    join('b', 'us')
    director.reconcile()
    t.same(takeAssignments(), ['p1 b[0,4)', 'p2 a[0,4)'])
    for (const id of ['p1', 'p2']) allReady(director.table.get(id))
    t.match(director.choose(model), { placement: { id: 'p1' } })
    t.match(director.choose(model, { pool: pools.named('eu') }), { placement: { id: 'p2', purpose: 'default' } })
    const placement = director.table.get('p1')
    if (placement === undefined) throw new Error('there is no placement')
    for (const _ of [1, 2]) director.takeSlot(placement)
    t.same(director.choose(model), { type: 'busy' }, 'a free slot of the subcloud is for nobody else')
  }
)

t.test('what a subcloud does not name is placed when it is asked for, once, and goes when it is not used', async t => {
  const { clock, director, pools, join, serve, allReady, takeAssignments } = setUp({
    eu: { region: 'eu', isolated: true }
  })
  const model = placeable(4)
  serve(model)
  const pool = pools.named('eu')
  join('a', 'eu')
  director.reconcile()
  t.same(takeAssignments(), [], 'there is nobody for the general pool')
  t.match(director.choose(model), { error: { code: 'layers_missing', message: /no node is here/ } })
  t.same(director.choose(model, { pool }), { type: 'loading' })
  t.same(director.choose(model, { pool: pools.named('eu') }), { type: 'loading' })
  t.same(takeAssignments(), ['p1 a[0,4)'])
  allReady(director.table.get('p1'))
  t.match(director.choose(model, { pool }), { type: 'ready' })
  clock.pass(600_000)
  director.reconcile()
  t.same(takeAssignments(), ['release p1 a'])
  director.reconcile()
  t.same(takeAssignments(), [], 'nobody asks for it any more')
})

t.test('a subcloud with no node for a model says what is missing, and is placed when one comes', async t => {
  const { director, pools, join, serve, takeAssignments } = setUp({ eu: { region: 'eu', labels: { tier: 'gold' } } })
  const model = placeable(4)
  serve(model)
  join('b', 'us')
  director.reconcile()
  takeAssignments()
  const pool = pools.named('eu')
  t.match(director.choose(model, { pool }), {
    error: { code: 'layers_missing', message: /\[0,4\).*in subcloud "eu" \(region=eu tier=gold\): no node is here/ }
  })
  t.ok(director.isUnplaced(model, pool))
  join('a', 'eu')
  director.reconcile()
  t.same(takeAssignments(), [], 'a region is not all that it must have')
  t.match(director.choose(model, { pool }), { type: 'error' })
})

t.test('nodes that are shared serve both, and a placement on them is used by both', async t => {
  const { director, pools, join, serve, allReady, takeAssignments } = setUp({ eu: { region: 'eu' } })
  const model = placeable(4)
  serve(model)
  join('a', 'eu')
  director.reconcile()
  t.same(takeAssignments(), ['p1 a[0,4)'])
  allReady(director.table.get('p1'))
  t.match(director.choose(model, { pool: pools.named('eu') }), { placement: { id: 'p1' } })
  join('b', 'us')
  const routing = pools.routing({ placeable: model, id: 'specimen' } as never, { region: 'us' })
  t.same(director.choose(model, routing), { type: 'loading' })
  t.same(takeAssignments(), ['p2 b[0,4)'], 'what is asked for elsewhere is placed there')
  allReady(director.table.get('p2'))
  t.match(director.choose(model, routing), { placement: { id: 'p2', pool: { adHoc: true } } })
  const nodes = pools.routing({ placeable: model, id: 'specimen' } as never, { nodes: ['a', 'c'] })
  t.match(director.choose(model, nodes), { placement: { id: 'p1' } }, 'what is there on these nodes will do')
  const nobody = pools.routing({ placeable: model, id: 'specimen' } as never, { nodes: ['c'], subcloud: 'eu' })
  t.match(director.choose(model, nobody), { error: { message: /in subcloud "eu" .* on c: no node is here/ } })
})

t.test('a subcloud in several stages', async t => {
  const { director, pools, join, serve, takeAssignments } = setUp({ eu: { nodes: ['a', 'c'], isolated: true } }, 2)
  const model = placeable(4)
  serve(model)
  for (const peer of ['a', 'b', 'c', 'd']) join(peer, 'here')
  director.reconcile()
  t.same(takeAssignments(), ['p1 b[0,2)', 'p1 d[2,4)'])
  t.same(director.choose(model, { pool: pools.named('eu') }), { type: 'loading' })
  t.same(takeAssignments(), ['p2 a[0,2)', 'p2 c[2,4)'])
  t.match(director.choose(model, { pool: pools.named('eu'), stages: 3 }), {
    error: { message: /3 stages need 3 nodes and there are 2/ }
  })
})

t.test('what is defined anew takes effect at once, and ends what runs only when it has ended', async t => {
  const { director, pools, define, join, serve, allReady, takeAssignments } = setUp({})
  const model = placeable(4)
  serve(model)
  join('a', 'eu')
  join('b', 'us')
  director.reconcile()
  t.same(takeAssignments(), ['p1 a[0,4)'])
  const first = director.table.get('p1')
  if (first === undefined) throw new Error('there is no placement')
  allReady(first)
  director.takeSlot(first)
  define({ eu: { region: 'eu', isolated: true, models: ['specimen'] } })
  t.equal(first.state, 'draining', 'it takes no one new')
  t.same(takeAssignments(), ['p2 b[0,4)'], 'the general pool moves; a has no room yet')
  t.ok(director.isUnplaced(model, pools.named('eu')))
  director.freeSlot(first)
  t.same(takeAssignments(), ['release p1 a'])
  director.reconcile()
  t.same(takeAssignments(), ['p3 a[0,4)'])
  allReady(director.table.get('p3'))
  define({})
  t.same(takeAssignments(), ['release p3 a'], 'a subcloud that is no more has no placements')
  t.match(director.choose(model, { pool: pools.named('eu') }), { type: 'error' })
})
