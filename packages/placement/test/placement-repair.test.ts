import { MeshError } from '@resultity/interface'
import { advert, placeable } from '@resultity/test-nodes'
import t from 'tap'
import { placed, report, setUp } from './support/director.ts'

t.test('another node takes the layers of one that died, and the others keep theirs', async t => {
  const { registry, director, takeAssignments, allReady } = setUp({ stages: 3 })
  const model = placeable(6)
  director.addModel(model)
  for (const peer of ['a', 'b', 'c', 'd']) registry.join(advert(peer, 2.5))
  director.reconcile()
  t.same(takeAssignments(), ['p1 a[0,2)', 'p1 b[2,4)', 'p1 c[4,6)'])
  allReady(director.table.get('p1'))
  registry.leave('b', 'it died')
  t.equal(director.choose(model).type, 'loading')
  director.reconcile()
  t.same(
    takeAssignments(),
    ['p2 a[0,2)', 'p2 d[2,4)', 'p2 c[4,6)', 'release p1 a', 'release p1 c'],
    'assigned before it is released: they have no room for it twice, and need not load it again'
  )
  t.equal(director.table.get('p1'), undefined)
  allReady(director.table.get('p2'))
  t.match(director.choose(model), { type: 'ready', placement: { id: 'p2' } })
})

t.test('of several it is one that computes like the one that died, if there is one', async t => {
  const { registry, director, takeAssignments, allReady } = setUp({ stages: 2 })
  const model = placeable(4)
  director.addModel(model)
  const [one, other] = ['1'.repeat(64), '2'.repeat(64)]
  registry.join(advert('a', 2.5, { kernels: one }))
  registry.join(advert('b', 2.5, { kernels: one }))
  director.reconcile()
  t.same(takeAssignments(), ['p1 a[0,2)', 'p1 b[2,4)'])
  allReady(director.table.get('p1'))
  registry.join(advert('c', 2.5, { kernels: other, probeMsPer100M: 0.1 }))
  registry.join(advert('d', 2.5, { kernels: one, probeMsPer100M: 9 }))
  registry.leave('b', 'it died')
  director.reconcile()
  t.same(takeAssignments(), ['p2 a[0,2)', 'p2 d[2,4)', 'release p1 a'])
  allReady(director.table.get('p2'))
  registry.leave('a', 'it died')
  director.reconcile()
  t.same(takeAssignments(), ['p3 c[0,2)', 'p3 d[2,4)', 'release p2 d'], 'the other one rather than nobody')
})

t.test('where nobody is left over all is planned anew, and what a node need not keep goes first', async t => {
  const { registry, director, takeAssignments } = placed(['a', 'b', 'c'], 3.5, 6, { stages: 3 })
  takeAssignments()
  registry.leave('a', 'it died')
  director.reconcile()
  t.same(takeAssignments(), ['release p1 b', 'release p1 c', 'p2 b[0,3)', 'p2 c[3,6)'])
})

t.test('a node that is there and failed is gone round as well', async t => {
  const { director, takeAssignments } = placed(['a', 'b', 'c'], 4.5, 4, { stages: 2 })
  takeAssignments()
  director.report('b', 'p1', report('failed', new MeshError('engine_failed', 'it broke off')))
  director.reconcile()
  t.same(takeAssignments(), ['release p1 b', 'p2 a[0,2)', 'p2 c[2,4)', 'release p1 a'])
})

t.test('two models that lose the same node are both repaired before anything is told', async t => {
  const { registry, director, takeAssignments, allReady } = setUp({ stages: 2 })
  const [one, other] = [placeable(4), placeable(4, 2, 'other')]
  director.addModel(one)
  director.addModel(other)
  for (const peer of ['a', 'b']) registry.join(advert(peer, 4.5))
  director.reconcile()
  for (const id of ['p1', 'p2']) allReady(director.table.get(id))
  t.same(takeAssignments(), ['p1 a[0,2)', 'p1 b[2,4)', 'p2 a[0,2)', 'p2 b[2,4)'])
  registry.join(advert('c', 4.5))
  registry.leave('a', 'it died')
  director.reconcile()
  t.same(takeAssignments(), ['p3 c[0,2)', 'p3 b[2,4)', 'p4 c[0,2)', 'p4 b[2,4)', 'release p1 b', 'release p2 b'])
})

t.test('what was made for a request is repaired while an answer wants to go on', async t => {
  const { registry, director, takeAssignments, allReady, model } = placed(['a', 'b', 'c', 'd'], 4.5, 4)
  for (const used of [true, false]) {
    director.choose(model, { stages: 2 })
    const made = director.table.all().at(-1)
    allReady(made)
    takeAssignments()
    if (used && made !== undefined) director.takeSlot(made)
    const lost = made?.stages[1]?.peerId ?? ''
    registry.leave(lost, 'it died')
    director.reconcile()
    const told = takeAssignments()
    if (used) t.match(told, { length: 3 }, 'two stages are assigned, one is released')
    else t.match(told, [/^release/], 'it goes')
    if (used) allReady(director.table.all().at(-1))
  }
})

t.test('a node that does not answer is done without where that can be, and gets nothing for a while', async t => {
  const { clock, director, takeAssignments, allReady } = placed(['a', 'b', 'c'], 2.5, 4, { stages: 2 })
  takeAssignments()
  t.equal(director.suspect('b', 'p1'), true)
  t.equal(director.suspect('b', 'p1'), true, 'two answers say so')
  director.reconcile()
  t.same(takeAssignments(), ['release p1 b', 'p2 a[0,2)', 'p2 c[2,4)', 'release p1 a'])
  t.equal(director.suspect('b', 'p1'), true, 'it is gone already')
  allReady(director.table.get('p2'))
  t.equal(director.suspect('c', 'p2'), false, 'b is not asked again so soon, and nobody else is there')
  t.equal(director.table.get('p2')?.state, 'ready')
  clock.pass(1000)
  t.equal(director.suspect('c', 'p2'), true, 'now it is')
  director.reconcile()
  t.same(takeAssignments(), ['release p2 c', 'p3 a[0,2)', 'p3 b[2,4)', 'release p2 a'])
})

t.test('a node alone is waited for', async t => {
  const { registry, director, allReady } = setUp()
  const model = placeable(4)
  director.addModel(model)
  registry.join(advert('a', 9))
  director.reconcile()
  allReady(director.table.get('p1'))
  t.equal(director.suspect('a', 'p1'), false)
  t.match(director.choose(model), { type: 'ready' })
  registry.join(advert('b', 9))
  t.equal(director.suspect('a', 'p1'), true, 'all is planned anew on another')
})

t.test('where it was one of as many stages as are wanted, fewer do at once', async t => {
  const { director, takeAssignments } = placed(['a', 'b'], 9, 4, { stages: 2 })
  takeAssignments()
  t.equal(director.suspect('b', 'p1'), true)
  director.reconcile()
  t.same(takeAssignments(), ['release p1 a', 'release p1 b', 'p2 a[0,4)'])
})
