import { MeshError } from '@resultity/interface'
import { advert, placeable } from '@resultity/test-nodes'
import t from 'tap'
import { placed, report, setUp } from './support/director.ts'

/** Adjacent pairs of a placement, as the ring has them. */
function pairs(assignments: readonly string[]): string[] {
  const peers = assignments.filter(one => !one.startsWith('release')).map(one => one.replace(/^p\d+ (.*)\[.*$/, '$1'))
  return peers.map((peer, index) => [peer, peers[(index + 1) % peers.length]].toSorted().join(''))
}

t.test('two nodes that do not reach each other are not beside each other in the next placement', async t => {
  const { director, takeAssignments, allReady, model } = placed(['a', 'b', 'c', 'd'], 2.5, 6, { stages: 3 })
  t.same(takeAssignments(), ['p1 a[0,2)', 'p1 b[2,4)', 'p1 c[4,6)'])
  t.equal(director.suspectLink('a', 'b', 'p1'), true)
  t.equal(director.suspectLink('a', 'b', 'p1'), true, 'two answers say so')
  t.match(director.table.get('p1')?.error, { message: /nothing passes between it and b/ })
  director.reconcile()
  t.same(
    takeAssignments(),
    ['release p1 b', 'p2 a[0,2)', 'p2 d[2,4)', 'p2 c[4,6)', 'release p1 a', 'release p1 c'],
    'one of them goes, the others keep what they have'
  )
  allReady(director.table.get('p2'))
  t.match(director.choose(model), { type: 'ready' })
})

t.test('where nobody is left over, fewer stages do, and all of them again when the link had its time', async t => {
  const { clock, director, takeAssignments, allReady } = placed(['a', 'b', 'c'], 9, 6, { stages: 3 })
  takeAssignments()
  t.equal(director.suspectLink('b', 'c', 'p1'), true)
  director.reconcile()
  const fewer = takeAssignments()
  t.notOk(pairs(fewer).includes('bc'), fewer.join())
  allReady(director.table.get('p2'))
  const wakeMs = director.reconcile()
  t.ok(wakeMs !== undefined && wakeMs <= clock.now() + 1001, 'it looks again')
  clock.pass(1001)
  director.reconcile()
  t.match(takeAssignments(), { length: 3 })
})

t.test('a link that cannot be done without is kept, and waited for', async t => {
  const { director } = placed(['a', 'b'], 2.5, 4, { stages: 2 })
  t.equal(director.suspectLink('a', 'b', 'p1'), false)
  t.equal(director.table.get('p1')?.state, 'ready')
})

t.test('a node that left comes back without its links', async t => {
  const { registry, director, takeAssignments, allReady } = placed(['a', 'b', 'c'], 2.5, 4, { stages: 2 })
  director.suspectLink('a', 'b', 'p1')
  director.reconcile()
  allReady(director.table.get('p2'))
  takeAssignments()
  for (const peer of ['b', 'c']) registry.leave(peer, 'it died')
  registry.join(advert('b', 2.5))
  director.reconcile()
  t.ok(pairs(takeAssignments()).includes('ab'))
})

/** What a stage says that has loaded and does not reach the one behind it. */
function unreached(unreachedPeer: string) {
  return { ...report('linking', new MeshError('peer_unreachable', 'connect ECONNREFUSED')), unreachedPeer }
}

t.test('a placement whose stages do not reach each other is never ready: another is made', async t => {
  const { registry, director, takeAssignments, allReady } = setUp({ stages: 3 })
  const model = placeable(6)
  director.addModel(model)
  for (const peer of ['a', 'b', 'c', 'd']) registry.join(advert(peer, 2.5))
  director.reconcile()
  t.same(takeAssignments(), ['p1 a[0,2)', 'p1 b[2,4)', 'p1 c[4,6)'])
  for (const peer of ['b', 'c']) director.report(peer, 'p1', report('ready'))
  director.report('a', 'p1', report('linking'))
  t.equal(director.table.get('p1')?.state, 'loading')
  director.report('a', 'p1', unreached('c'))
  t.equal(director.table.get('p1')?.state, 'loading', 'a node speaks of its own next stage only')
  director.report('a', 'p1', unreached('b'))
  t.match(director.table.get('p1')?.error, { message: /nothing passes between it and b: connect ECONNREFUSED/ })
  t.match(director.bannedLinks(), [{ peers: ['a', 'b'], why: 'connect ECONNREFUSED', count: 1, forMs: 1000 }])
  director.reconcile()
  t.same(
    takeAssignments(),
    ['release p1 b', 'p2 a[0,2)', 'p2 d[2,4)', 'p2 c[4,6)', 'release p1 a', 'release p1 c'],
    'and the others keep what they have loaded'
  )
  allReady(director.table.get('p2'))
  t.match(director.choose(model), { type: 'ready' })
})

t.test('where there is no other order it is waited for, and taken when another node comes', async t => {
  const { registry, director, takeAssignments, allReady } = setUp({ stages: 2 })
  const model = placeable(4)
  director.addModel(model)
  for (const peer of ['a', 'b']) registry.join(advert(peer, 2.5))
  director.reconcile()
  takeAssignments()
  director.report('a', 'p1', unreached('b'))
  director.reconcile()
  t.match(director.table.get('p1'), { state: 'loading', stages: [{ report: { unreachedPeer: 'b' } }, {}] })
  t.same(takeAssignments(), [])
  registry.join(advert('c', 2.5))
  director.report('a', 'p1', unreached('b'))
  director.reconcile()
  const assigned = takeAssignments()
  t.notOk(pairs(assigned.filter(one => one.startsWith('p2'))).includes('ab'), assigned.join())
  allReady(director.table.get('p2'))
  t.match(director.choose(model), { type: 'ready' })
})
