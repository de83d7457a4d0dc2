import { advert, ManualClock } from '@resultity/test-nodes'
import t from 'tap'
import { type NodeChange, NodeRegistry } from '../src/membership/node-registry.ts'

function setUp(nodesMax = 3) {
  const clock = new ManualClock()
  const registry = new NodeRegistry(clock, { nodesMax, silenceMaxMs: 3000 })
  const changes: string[] = []
  registry.onChange((change: NodeChange) => changes.push(`${change.type} ${change.node.peerId}`))
  return { clock, registry, changes }
}

t.test('a node is here until it leaves, falls silent or its advert expires', async t => {
  const { clock, registry, changes } = setUp()
  registry.join(advert('b', 1))
  registry.join(advert('a', 1))
  registry.join(advert('c', 1, { issuedAtMs: 70, expiresAtMs: 3570 }))
  t.same(
    registry.list().map(node => node.peerId),
    ['a', 'b', 'c'],
    'listed by peer id'
  )
  registry.leave('b', 'goodbye')
  registry.leave('b', 'again')
  clock.pass(3000)
  registry.prune()
  t.equal(registry.list().length, 2, 'silent for as long as it may be')
  registry.seen('c')
  clock.pass(1)
  registry.prune()
  t.equal(registry.get('a'), undefined, 'and one millisecond longer')
  clock.pass(498)
  registry.prune()
  t.ok(registry.get('c'), 'the advert has a millisecond left')
  clock.pass(1)
  registry.prune()
  t.equal(registry.get('c'), undefined)
  t.same(changes, ['joined b', 'joined a', 'joined c', 'left b', 'left a', 'left c'], 'each change is told once')
})

t.test('a fresh advert replaces the old one; unknown peers are ignored', async t => {
  const { registry, changes } = setUp()
  registry.join(advert('a', 1))
  registry.seen('a', advert('a', 1, { sequence: 2, threads: 7 }))
  registry.seen('a')
  registry.seen('x', advert('x', 1))
  t.equal(registry.get('a')?.advert.threads, 7)
  t.same(changes, ['joined a', 'updated a'])
})

t.test('a node that joins anew leaves first, and takes no second place', async t => {
  const { registry, changes } = setUp(1)
  registry.join(advert('a', 1))
  registry.join(advert('a', 1, { sequence: 9 }))
  t.same(changes, ['joined a', 'left a', 'joined a'])
  t.throws(() => registry.join(advert('b', 1)), { code: 'resource_exhausted' }, 'the bound holds')
})
