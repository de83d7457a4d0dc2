import { advert, placeableEncoder } from '@resultity/test-nodes'
import t from 'tap'
import { oneForAll } from '../src/placement/node-pool.ts'
import type { Placement } from '../src/placement/placement.ts'
import { Replicas } from '../src/placement/replicas.ts'
import { report, setUp } from './support/director.ts'

/** A whole model that is ready on one of these nodes. */
function served(peers: readonly string[], layersOfRoom = 64) {
  const known = setUp()
  const { registry, director, allReady, takeAssignments } = known
  const model = placeableEncoder()
  director.addModel(model)
  for (const peer of peers) registry.join(advert(peer, layersOfRoom))
  director.reconcile()
  allReady(director.table.get('p1'))
  takeAssignments()
  return { ...known, model, replicas: new Replicas({ registry, director, general: oneForAll.general }) }
}

t.test('work of many parts gets a placement on each further node, as many as it has use for', async t => {
  const { replicas, director, model, takeAssignments, allReady } = served(['a', 'b', 'c', 'd'])
  t.equal(replicas.jobsMax(model, {}), 2, 'two jobs at once on the node that serves it')
  replicas.ask(model, {}, 3)
  const told = takeAssignments()
  t.equal(told.length, 2, told.join())
  t.equal(replicas.jobsMax(model, {}), 2, 'those that load do nothing yet')
  for (const placement of director.table.of(model)) if (placement.state === 'loading') allReady(placement)
  t.equal(replicas.jobsMax(model, {}), 6)
  replicas.ask(model, {}, 3)
  t.strictSame(takeAssignments(), [], 'they are there already')
  replicas.ask(model, {}, 100)
  t.equal(takeAssignments().length, 1, 'there are four nodes')
})

t.test('jobs go where the fewest are', async t => {
  const { replicas, director, model, allReady } = served(['a', 'b', 'c'])
  replicas.ask(model, {}, 3)
  for (const placement of director.table.of(model)) if (placement.state === 'loading') allReady(placement)
  const taken = Array.from({ length: 6 }, () => {
    const choice = director.choose(model)
    if (choice.type !== 'ready') throw new Error(choice.type)
    director.takeSlot(choice.placement)
    return choice.placement.stages[0]?.peerId ?? ''
  })
  t.strictSame([...new Set(taken.slice(0, 3))].length, 3, 'one on each')
  t.strictSame([...new Set(taken.slice(3))].length, 3, 'then a second on each')
})

t.test('nodes that serve and do nothing are idle, at the pace that they measured', async t => {
  const { replicas, director, model } = served(['a', 'b'])
  const ready = (placement: Placement | undefined, decodeMsPerLayer: number, selfTestSha256: string): void => {
    const told = { ...report('ready'), decodeMsPerLayer, selfTestSha256 }
    for (const { peerId } of placement?.stages ?? []) director.report(peerId, placement?.id ?? '', told)
  }
  ready(director.table.get('p1'), 3, 'one')
  t.strictSame(replicas.idle(model, {}), [6], 'of both layers')
  replicas.ask(model, {}, 2)
  t.strictSame(replicas.idle(model, {}), [6], 'one that loads is not there yet')
  ready(director.table.get('p2'), 4, 'one')
  t.strictSame(replicas.idle(model, {}), [6, 8])
  const choice = director.choose(model)
  if (choice.type !== 'ready') throw new Error(choice.type)
  director.takeSlot(choice.placement)
  t.equal(replicas.idle(model, {}).length, 1)
  director.freeSlot(choice.placement)
  const pool = { ...oneForAll.general, key: 'mine', admits: () => false }
  t.strictSame(replicas.idle(model, { pool }), [], 'in another pool there is none')
  ready(director.table.get('p2'), 4, 'another')
  t.strictSame(replicas.idle(model, {}), [], 'nor where their self-tests differ')
})

t.test('a node without room is passed over', async t => {
  const { replicas, registry, model, takeAssignments } = served(['a'])
  registry.join(advert('small', 1))
  registry.join(advert('z', 64))
  replicas.ask(model, {}, 3)
  t.match(takeAssignments(), [/ z\[/])
})

t.test('nodes outside the pool are left alone', async t => {
  const { replicas, model, takeAssignments } = served(['a', 'b', 'c'])
  const pool = { ...oneForAll.general, key: 'mine', admits: ({ peerId }: { peerId: string }) => peerId !== 'b' }
  replicas.ask(model, { pool }, 3)
  const told = takeAssignments()
  t.equal(told.length, 1)
  t.notMatch(told, [/ b\[/])
})

t.test('what is not used is released', async t => {
  const { replicas, director, clock, model, allReady, takeAssignments } = served(['a', 'b'])
  replicas.ask(model, {}, 2)
  for (const placement of director.table.of(model)) if (placement.state === 'loading') allReady(placement)
  takeAssignments()
  clock.pass(600_001)
  director.reconcile()
  t.match(takeAssignments(), [/^release p2 /])
  t.equal(replicas.jobsMax(model, {}), 2)
})
