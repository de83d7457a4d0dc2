import { NodeRegistry, PlacementDirector } from '@resultity/placement'
import { advert, ManualClock, placeable } from '@resultity/test-nodes'
import t from 'tap'
import { type LeaseOptions, RouteLeases } from '../src/route-leases.ts'

function setUp(waitersMax = 8, waitMs = 60_000, sessionsMax = 1) {
  const clock = new ManualClock()
  const registry = new NodeRegistry(clock, { nodesMax: 9, silenceMaxMs: 3000 })
  let ids = 0
  const director = new PlacementDirector(
    { registry, clock, newId: () => `p${++ids}`, assignments: { assign: () => {}, release: () => {} } },
    {
      stages: 'auto',
      fewerStagesAfterMs: 0,
      assignmentRetryMs: 1000,
      assignmentSilenceMs: 60_000,
      onDemandIdleMs: 60_000
    }
  )
  registry.onChange(change => director.nodeChanged(change))
  const leases = new RouteLeases(director, { waitersMax, placementWaitMs: waitMs, slotWaitMs: waitMs })
  const model = placeable(2, sessionsMax)
  director.addModel(model)
  registry.join(advert('a', 8))
  director.reconcile()
  const ready = (): void =>
    director.report('a', 'p1', {
      state: 'ready',
      bytesDone: 0,
      bytesTotal: 0,
      decodeMsPerLayer: 0,
      selfTestSha256: '',
      fixedDecodeMs: 0
    })
  return { registry, director, leases, model, ready }
}

t.test('requests wait for the placement, then for the slot, first come first served', async t => {
  const { leases, model, ready } = setUp()
  const order: string[] = []
  const first = leases.lease(model, undefined)
  const second = leases.lease(model, undefined)
  void first.then(() => order.push('first'))
  void second.then(() => order.push('second'))
  t.equal(leases.waiting, 2)
  ready()
  const lease = await first
  t.same(lease.route, { placementId: 'p1', stages: [{ peerId: 'a', range: { first: 0, end: 2 } }] })
  t.equal(leases.waiting, 1, 'one slot, one lease')
  lease[Symbol.dispose]()
  lease[Symbol.dispose]()
  const next = await second
  t.same(order, ['first', 'second'])
  next[Symbol.dispose]()
  t.equal((await leases.lease(model, undefined)).placement.sessionsOpen, 1, 'freed exactly once each')
})

t.test('an answer that lost its route goes before those that have not begun, and is never turned away', async t => {
  const { leases, model, ready } = setUp(2)
  const order: string[] = []
  const wait = (name: string, options: LeaseOptions) =>
    leases.lease(model, undefined, options).then(lease => {
      order.push(name)
      lease[Symbol.dispose]()
    })
  const waiting = [wait('batch', { workClass: 'batch' }), wait('new', {}), wait('begun', { resumes: true })]
  await t.rejects(leases.lease(model), { code: 'resource_exhausted', message: /3 requests wait/ })
  ready()
  await Promise.all(waiting)
  t.same(order, ['begun', 'new', 'batch'])
})

t.test('batch work never has the last slot, and waits behind whoever comes', async t => {
  const { leases, model, ready } = setUp(8, 60_000, 2)
  ready()
  const batch = { workClass: 'batch' } as const
  const held = await leases.lease(model, undefined, batch)
  const order: string[] = []
  const waiting = leases.lease(model, undefined, batch)
  void waiting.then(() => order.push('batch'))
  t.equal(leases.waiting, 1, 'a slot is free, but not for it')
  const first = await leases.lease(model, undefined)
  const second = leases.lease(model, undefined)
  void second.then(() => order.push('interactive'))
  held[Symbol.dispose]()
  const last = await second
  first[Symbol.dispose]()
  ;(await waiting)[Symbol.dispose]()
  t.same(order, ['interactive', 'batch'])
  last[Symbol.dispose]()
})

t.test('the line is bounded, and leaving it leaves nothing behind', async t => {
  const { leases, model } = setUp(1)
  const hangUp = new AbortController()
  const waiting = leases.lease(model, undefined, { signal: hangUp.signal })
  await t.rejects(leases.lease(model, undefined), { code: 'resource_exhausted', message: /1 requests wait/ })
  hangUp.abort()
  await t.rejects(waiting, { code: 'canceled' })
  t.equal(leases.waiting, 0)
})

t.test('waiting ends in time, saying what for', async t => {
  const { leases, model, ready } = setUp(8, 1)
  await t.rejects(leases.lease(model, undefined), { code: 'unavailable', message: /was not placed/ })
  ready()
  using _held = await leases.lease(model, undefined)
  await t.rejects(leases.lease(model, undefined), { code: 'resource_exhausted', message: /no slot/ })
})

t.test('when the last node dies, those who wait are told what is missing', async t => {
  const { registry, director, leases, model } = setUp()
  const waiting = leases.lease(model, undefined)
  registry.leave('a', 'it died')
  director.reconcile()
  await t.rejects(waiting, { code: 'layers_missing', message: /\[0,2\)/ })
})

t.test('stopping turns everybody away', async t => {
  const { leases, model } = setUp()
  const waiting = leases.lease(model, undefined)
  leases[Symbol.dispose]()
  await t.rejects(waiting, { code: 'unavailable' })
})

t.test('an answer leaves a placement for one that is ready, or because it has broken; to ask makes none', async t => {
  const { registry, director, leases, model, ready } = setUp()
  registry.join(advert('b', 8))
  const [left] = director.table.all()
  if (left === undefined) throw new Error('the model is placed')
  const before = director.table.all()
  t.notOk(leases.hasRoute(left, model), 'what loads is no place yet')
  t.notOk(leases.hasRoute(left, model, { stages: 2 }))
  t.same(director.table.all(), before)
  ready()
  t.ok(leases.hasRoute(left, model))
  const held = await leases.lease(model)
  t.ok(leases.hasRoute(left, model), 'who has begun gets the next slot')
  held[Symbol.dispose]()
  registry.leave('a', 'it died')
  t.ok(leases.hasRoute(left, model), 'there is nothing to stay on')
})
