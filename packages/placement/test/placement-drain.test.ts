import { advert, placeable } from '@resultity/test-nodes'
import t from 'tap'
import { setUp } from './support/director.ts'

/** A model of six layers on three nodes, and who else is there. */
function placed({ room = 3.5, spare = true } = {}) {
  const mesh = setUp({ stages: 3 })
  const { registry, director, takeAssignments, allReady } = mesh
  const model = placeable(6)
  director.addModel(model)
  for (const peer of spare ? ['a', 'b', 'c', 'd'] : ['a', 'b', 'c']) registry.join(advert(peer, room))
  director.reconcile()
  const first = director.table.get('p1')
  if (first === undefined) throw new Error('it is placed')
  allReady(first)
  takeAssignments()
  const handed: string[] = []
  director.onHandover((placementId, peerId) => handed.push(`${placementId} ${peerId}`))
  let sequence = 1
  const drain = (peer: string): void => {
    registry.seen(peer, advert(peer, room, { sequence: ++sequence, draining: true }))
    director.reconcile()
  }
  return { ...mesh, model, first, handed, drain }
}

t.test('answers go on elsewhere once others have the layers, and then the node has nothing left', async t => {
  const { director, model, first, handed, drain, takeAssignments, allReady } = placed()
  director.takeSlot(first)
  drain('b')
  t.same(takeAssignments(), ['p2 a[0,2)', 'p2 d[2,4)', 'p2 c[4,6)'], 'nothing is released yet')
  t.equal(first.state, 'draining')
  t.equal(director.choose(model).type, 'loading', 'it takes nothing new')
  t.same(handed, [], 'an answer stays where it is until there is another place for it')
  allReady(director.table.get('p2'))
  director.reconcile()
  t.same(handed, ['p1 b'])
  t.match(director.choose(model), { type: 'ready', placement: { id: 'p2' } })
  director.freeSlot(first)
  t.same(takeAssignments(), ['release p1 a', 'release p1 b', 'release p1 c'])
})

t.test('one that was being opened is told again', async t => {
  const { clock, director, first, handed, drain, allReady } = placed()
  director.takeSlot(first)
  drain('b')
  allReady(director.table.get('p2'))
  const wakeMs = director.reconcile()
  t.ok(wakeMs !== undefined && wakeMs < clock.now() + 1000)
  director.reconcile()
  t.same(handed, ['p1 b', 'p1 b'])
})

t.test('layers that nobody uses go to another node at once', async t => {
  const { director, handed, drain, takeAssignments } = placed()
  drain('b')
  t.same(takeAssignments(), ['release p1 b', 'p2 a[0,2)', 'p2 d[2,4)', 'p2 c[4,6)', 'release p1 a', 'release p1 c'])
  t.equal(director.table.get('p1'), undefined)
  t.same(handed, [])
})

t.test('so do layers that it still loads', async t => {
  const mesh = setUp({ stages: 2 })
  mesh.director.addModel(placeable(4))
  for (const peer of ['a', 'b', 'c']) mesh.registry.join(advert(peer, 2.5))
  mesh.director.reconcile()
  mesh.takeAssignments()
  mesh.registry.seen('b', advert('b', 2.5, { sequence: 2, draining: true }))
  mesh.director.reconcile()
  t.same(mesh.takeAssignments(), ['release p1 b', 'p2 a[0,2)', 'p2 c[2,4)', 'release p1 a'])
})

t.test('without room for both, answers go on when the first is released', async t => {
  const { director, first, handed, drain, takeAssignments } = placed({ spare: false })
  director.takeSlot(first)
  drain('a')
  t.same(handed, ['p1 a'])
  t.same(takeAssignments(), ['release p1 a', 'release p1 b', 'release p1 c', 'p2 b[0,3)', 'p2 c[3,6)'])
})

t.test('with room for both, another cut is made beside it', async t => {
  const { director, first, handed, drain, takeAssignments, allReady } = placed({ room: 9, spare: false })
  director.takeSlot(first)
  drain('a')
  t.same(takeAssignments(), ['p2 b[0,3)', 'p2 c[3,6)'])
  t.same(handed, [])
  allReady(director.table.get('p2'))
  director.reconcile()
  t.same(handed, ['p1 a'])
})

t.test('where nobody can take the layers, answers may end on them, and nothing new comes', async t => {
  const { clock, registry, director, model, first, handed, drain, takeAssignments, allReady } = placed({
    room: 2.5,
    spare: false
  })
  director.takeSlot(first)
  drain('a')
  clock.pass(3000)
  director.reconcile()
  t.same([handed, takeAssignments()], [[], []])
  t.match(director.choose(model), { type: 'error', error: { code: 'layers_missing' } })
  t.equal(first.state, 'draining')
  registry.join(advert('d', 2.5))
  director.reconcile()
  t.same(takeAssignments(), ['p2 d[0,2)', 'p2 b[2,4)', 'p2 c[4,6)'], 'unless somebody comes')
  allReady(director.table.get('p2'))
  director.reconcile()
  t.same(handed, ['p1 a'])
  director.freeSlot(first)
  t.same(takeAssignments(), ['release p1 a', 'release p1 b', 'release p1 c'])
})

t.test('a node that joins and is about to leave gets nothing', async t => {
  const mesh = setUp()
  mesh.director.addModel(placeable(2))
  mesh.registry.join(advert('a', 9, { draining: true }))
  mesh.director.reconcile()
  t.same(mesh.takeAssignments(), [])
})
