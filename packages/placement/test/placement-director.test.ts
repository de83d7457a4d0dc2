import { formatRange, MeshError } from '@resultity/interface'
import { advert, ManualClock, placeable, placeableEncoder } from '@resultity/test-nodes'
import t from 'tap'
import { NodeRegistry } from '../src/membership/node-registry.ts'
import { Placement, type StageReport, type StageState } from '../src/placement/placement.ts'
import { PlacementDirector, type PlacementDirectorInit } from '../src/placement/placement-director.ts'

const INIT: PlacementDirectorInit = {
  stages: 'auto',
  fewerStagesAfterMs: 3000,
  assignmentRetryMs: 1000,
  assignmentSilenceMs: 60_000,
  onDemandIdleMs: 600_000
}

function report(state: StageState, error?: MeshError): StageReport {
  const nothing = { bytesDone: 0, bytesTotal: 0, decodeMsPerLayer: 0, fixedDecodeMs: 0 }
  return error === undefined ? { state, ...nothing } : { state, ...nothing, error }
}

function setUp(init: Partial<PlacementDirectorInit> = {}) {
  const clock = new ManualClock()
  const registry = new NodeRegistry(clock, { nodesMax: 100, silenceMaxMs: 3000 })
  const assignments: string[] = []
  let ids = 0
  const director: PlacementDirector = new PlacementDirector(
    {
      registry,
      clock,
      newId: () => `p${++ids}`,
      assignments: {
        assign: (placement, stage) => assignments.push(`${placement.id} ${stage.peerId}${formatRange(stage.range)}`),
        release: (peerId, placementId) => assignments.push(`release ${placementId} ${peerId}`)
      }
    },
    { ...INIT, ...init }
  )
  registry.onChange(change => director.nodeChanged(change))
  const takeAssignments = (): string[] => assignments.splice(0)
  const allReady = (placement: Placement | undefined): void => {
    for (const stage of placement?.stages ?? []) director.report(stage.peerId, placement?.id ?? '', report('ready'))
  }
  return { clock, registry, director, takeAssignments, allReady }
}

t.test('a default placement is assigned, gets ready, and survives what does not concern it', async t => {
  const { registry, director, takeAssignments, allReady } = setUp({ stages: 2 })
  const model = placeable(4)
  director.addModel(model)
  registry.join(advert('a', 10))
  registry.join(advert('b', 10))
  t.same(director.choose(model), { type: 'loading' }, 'nothing is known to be impossible yet')
  director.reconcile()
  t.same(takeAssignments(), ['p1 a[0,2)', 'p1 b[2,4)'])
  director.report('a', 'p1', report('ready'))
  director.report('stranger', 'p1', report('failed'))
  director.report('b', 'p9', report('failed'))
  t.equal(director.choose(model).type, 'loading', 'ready only when all stages are')
  allReady(director.table.get('p1'))
  const choice = director.choose(model)
  t.equal(choice.type === 'ready' && choice.placement.id, 'p1')
  registry.join(advert('c', 10))
  director.reconcile()
  t.same(takeAssignments(), [], 'a third node changes nothing')
})

t.test('when a node dies the rest is released and planned anew at once', async t => {
  const { registry, director, takeAssignments, allReady } = setUp({ stages: 3 })
  const model = placeable(6)
  director.addModel(model)
  for (const peer of ['a', 'b', 'c']) registry.join(advert(peer, 4))
  director.reconcile()
  allReady(director.table.get('p1'))
  takeAssignments()
  registry.leave('b', 'it died')
  director.reconcile()
  t.same(takeAssignments(), ['release p1 a', 'release p1 c', 'p2 a[0,3)', 'p2 c[3,6)'])
  t.equal(director.choose(model).type, 'loading', 'the next request waits for the new placement')
  registry.leave('c', 'it died')
  director.reconcile()
  const choice = director.choose(model)
  t.match(choice.type === 'error' && choice.error, { code: 'layers_missing', message: /\[3,6\)/ })
  registry.join(advert('d', 4))
  director.reconcile()
  t.equal(director.choose(model).type, 'loading', 'a new node takes the missing layers over')
})

t.test('too little memory is an error that names layers and bytes, not a wait', async t => {
  const { registry, director, takeAssignments } = setUp()
  const model = placeable(8)
  director.addModel(model)
  director.reconcile()
  t.match(director.choose(model), { error: { code: 'layers_missing', message: /\[0,8\).*no node is here/ } })
  registry.join(advert('a', 5))
  director.reconcile()
  t.match(director.choose(model), { error: { code: 'layers_missing', message: /\[5,8\).*bytes more/ } })
  t.same(takeAssignments(), [])
})

t.test('a fixed number of stages waits a while for its nodes, then takes fewer, and grows later', async t => {
  const { clock, registry, director, takeAssignments, allReady } = setUp({ stages: 3 })
  const model = placeable(6)
  director.addModel(model)
  registry.join(advert('a', 20))
  registry.join(advert('b', 20))
  const wakeMs = director.reconcile()
  t.same(takeAssignments(), [])
  t.equal(wakeMs, clock.now() + 3001)
  clock.pass(3000)
  director.reconcile()
  t.same(takeAssignments(), ['p1 a[0,3)', 'p1 b[3,6)'])
  allReady(director.table.get('p1'))
  registry.join(advert('c', 20))
  director.reconcile()
  t.same(takeAssignments(), ['p2 a[0,2)', 'p2 c[2,4)', 'p2 b[4,6)'], 'layers that are there stay')
  const choice = director.choose(model)
  t.equal(choice.type === 'ready' && choice.placement.id, 'p1', 'the old one serves meanwhile')
  const old = director.table.get('p1')
  if (old !== undefined) director.takeSlot(old)
  allReady(director.table.get('p2'))
  t.equal(old?.state, 'draining', 'its session may end')
  t.same(takeAssignments(), [])
  if (old !== undefined) director.freeSlot(old)
  t.same(takeAssignments(), ['release p1 a', 'release p1 b'])
})

t.test('a placement that shares a stage with one that ends waits for its sessions there', async t => {
  const { registry, director, allReady } = setUp({ stages: 3 })
  const model = placeable(6, 2)
  director.addModel(model)
  for (const peer of ['a', 'b', 'c']) registry.join(advert(peer, 8))
  director.reconcile()
  const first = director.table.get('p1')
  allReady(first)
  if (first === undefined) throw new Error('nothing was placed')
  director.takeSlot(first)
  director.takeSlot(first)
  // asked for as it is already: the same stages, so the same slots
  const second = new Placement({ ...first, id: 'p2', purpose: 'on-demand', nowMs: 0 })
  director.table.add(second)
  allReady(second)
  first.drain()
  t.same(director.choose(model), { type: 'busy' }, 'both slots are taken by sessions of the other')
  director.freeSlot(first)
  t.match(director.choose(model), { type: 'ready', placement: { id: 'p2' } })
  director.takeSlot(second)
  t.same(director.choose(model), { type: 'busy' }, 'one of each')
})

t.test('a stage that fails breaks its placement and leaves its node out for a while', async t => {
  const { clock, registry, director, takeAssignments } = setUp()
  const model = placeable(4)
  director.addModel(model)
  registry.join(advert('a', 10))
  registry.join(advert('b', 10))
  director.reconcile()
  t.same(takeAssignments(), ['p1 a[0,4)'])
  director.report('a', 'p1', report('failed', new MeshError('hash_mismatch', 'layer 1 is corrupt')))
  director.reconcile()
  t.same(takeAssignments(), ['release p1 a', 'p2 b[0,4)'])
  director.report('b', 'p2', report('failed', new MeshError('engine_failed', 'no such operator')))
  const wakeMs = director.reconcile()
  t.match(director.choose(model), { error: { code: 'layers_missing', message: /no such operator/ } })
  t.equal(wakeMs, clock.now() + 1001, 'and is asked again after that')
  clock.pass(1000)
  director.reconcile()
  t.same(takeAssignments().at(-1), 'p3 a[0,4)')
  director.report('a', 'p3', report('failed'))
  t.equal(director.reconcile(), clock.now() + 2001, 'b is asked; a waits for twice as long')
  t.same(takeAssignments().at(-1), 'p4 b[0,4)')
})

t.test('a node that never reports is given up', async t => {
  const { clock, registry, director, takeAssignments } = setUp()
  const model = placeable(4)
  director.addModel(model)
  registry.join(advert('a', 10))
  registry.join(advert('b', 10))
  t.equal(director.reconcile(), clock.now() + 60_001)
  clock.pass(59_999)
  director.report('a', 'p1', report('fetching'))
  clock.pass(59_999)
  director.reconcile()
  t.same(takeAssignments(), ['p1 a[0,4)'])
  clock.pass(1)
  director.reconcile()
  t.same(takeAssignments(), ['release p1 a', 'p2 b[0,4)'])
})

t.test('a request for a number of stages gets its own placement, once', async t => {
  const { clock, registry, director, takeAssignments, allReady } = setUp()
  const model = placeable(4)
  director.addModel(model)
  for (const peer of ['a', 'b', 'c']) registry.join(advert(peer, 8))
  director.reconcile()
  allReady(director.table.get('p1'))
  takeAssignments()
  t.equal(director.choose(model, { stages: 2 }).type, 'loading')
  t.equal(director.choose(model, { stages: 2 }).type, 'loading')
  t.same(takeAssignments(), ['p2 a[0,2)', 'p2 b[2,4)'], 'beside the default one')
  allReady(director.table.get('p2'))
  const choice = director.choose(model, { stages: 2 })
  t.equal(choice.type === 'ready' && choice.placement.id, 'p2')
  t.equal(director.choose(model, { stages: 1 }).type, 'ready', 'one stage is what the default has')
  t.match(director.choose(model, { stages: 4 }), {
    error: { code: 'layers_missing', message: /4 stages need 4 nodes/ }
  })
  t.throws(() => director.choose(model, { stages: 5 }), { code: 'invalid_request', details: { param: 'mesh.stages' } })
  t.equal(director.reconcile(), clock.now() + 600_001)
  clock.pass(600_000)
  director.reconcile()
  t.same(takeAssignments(), ['release p2 a', 'release p2 b'], 'unused for ten minutes')
})

t.test('an idle on-demand placement makes room for another, and only for one that then fits', async t => {
  const { registry, director, takeAssignments, allReady } = setUp()
  const model = placeable(4)
  director.addModel(model)
  for (const peer of ['a', 'b', 'c']) registry.join(advert(peer, 4.5))
  director.reconcile()
  allReady(director.table.get('p1'))
  director.choose(model, { stages: 2 })
  allReady(director.table.get('p2'))
  takeAssignments()
  t.equal(director.choose(model, { stages: 3 }).type, 'error', 'a is full of the default placement, which stays')
  t.same(takeAssignments(), [], 'so p2 stays too')
  const other = placeable(8, 2, 'other')
  director.addModel(other)
  t.equal(director.choose(other, { stages: 2 }).type, 'loading', 'nothing is decided yet')
  t.same(takeAssignments(), [])
  director.reconcile()
  t.equal(director.choose(other, { stages: 2 }).type, 'loading', 'the default one has as many stages')
  t.same(takeAssignments(), ['release p2 b', 'release p2 c', 'p3 b[0,4)', 'p3 c[4,8)'])
})

t.test('slots are taken and freed, and never more than there are', async t => {
  const { registry, director, allReady } = setUp()
  const model = placeable(2, 2)
  director.addModel(model)
  registry.join(advert('a', 8))
  director.reconcile()
  const placement = director.table.get('p1')
  if (placement === undefined) throw new Error('there is no placement')
  allReady(placement)
  director.takeSlot(placement)
  director.takeSlot(placement)
  t.same(director.choose(model), { type: 'busy' })
  t.throws(() => director.takeSlot(placement), { code: 'internal' })
  director.freeSlot(placement)
  t.equal(director.choose(model).type, 'ready')
  director.freeSlot(placement)
  t.throws(() => director.freeSlot(placement), { code: 'internal' })
})

t.test('memory that others took on a node is not planned with', async t => {
  const { registry, director, takeAssignments } = setUp()
  const model = placeable(4)
  director.addModel(model)
  registry.join(advert('a', 10, { memoryFreeBytes: 0 }))
  registry.join(advert('b', 6))
  director.reconcile()
  t.same(takeAssignments(), ['p1 b[0,4)'])
})

t.test('memory that is being released counts as free, until the node says otherwise', async t => {
  const { clock, registry, director, takeAssignments, allReady } = setUp({ stages: 2 })
  const model = placeable(4)
  director.addModel(model)
  registry.join(advert('a', 4.5))
  registry.join(advert('b', 4.5))
  director.reconcile()
  allReady(director.table.get('p1'))
  takeAssignments()
  const stage = { manifest: model.manifestSha256, range: { first: 0, end: 2 }, decodeMsPerLayer: 1 }
  const served = [{ ...stage, placementId: 'p1', sessionsOpen: 0, sessionsMax: 2 }]
  const { memoryOfferedBytes } = advert('a', 4.5)
  registry.leave('b', 'it died')
  director.reconcile()
  t.same(takeAssignments(), ['release p1 a', 'p2 a[0,4)'])
  // the node has not come round to it yet, and fails the next assignment
  registry.seen('a', advert('a', 4.5, { memoryFreeBytes: memoryOfferedBytes / 2, stages: served }))
  director.report('a', 'p2', report('failed'))
  clock.pass(1000)
  director.reconcile()
  t.same(takeAssignments(), ['release p2 a', 'p3 a[0,4)'], 'all of it is planned with')
  director.report('a', 'p3', report('failed'))
  director.reconcile()
  takeAssignments()
  // now it has released both, and something else has taken the rest
  registry.seen('a', advert('a', 4.5, { memoryFreeBytes: memoryOfferedBytes / 2 }))
  clock.pass(2000)
  director.reconcile()
  t.same(takeAssignments(), [], 'what others have taken is not planned with')
  t.match(director.choose(model), { error: { code: 'layers_missing', message: /bytes more of node memory/ } })
})

t.test('an encoder is placed whole, at once and on one node, however the others are cut', async t => {
  const { registry, director, takeAssignments, allReady } = setUp({ stages: 3 })
  const model = placeableEncoder()
  director.addModel(model)
  registry.join(advert('a', 64))
  registry.join(advert('b', 64))
  director.reconcile()
  t.same(takeAssignments(), ['p1 a[0,2)'], 'it waits for no third node')
  allReady(director.table.get('p1'))
  t.match(director.choose(model), { type: 'ready' })
  t.match(director.whatIf(model), { stages: { length: 1 } })
  t.throws(() => director.choose(model, { stages: 2 }), { code: 'invalid_request', message: /not cut/ })
  t.throws(() => director.whatIf(model, 2), { code: 'invalid_request' })
  registry.leave('a', 'test')
  director.reconcile()
  t.match(takeAssignments(), ['p2 b[0,2)'])

  const small = setUp()
  small.director.addModel(model)
  small.registry.join(advert('a', 2))
  small.registry.join(advert('b', 2))
  small.director.reconcile()
  t.same(small.takeAssignments(), [], 'two halves are no whole')
  t.match(small.director.choose(model), { type: 'error', error: { code: 'layers_missing' } })
})
