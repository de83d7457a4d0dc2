import { advert, placeable } from '@resultity/test-nodes'
import t from 'tap'
import { setUp } from './support/director.ts'

/** A model with two slots on one node, and what that says of its sessions. */
function placed() {
  const mesh = setUp()
  const { registry, director, allReady } = mesh
  const model = placeable(2, 2)
  director.addModel(model)
  registry.join(advert('a', 2.5))
  director.reconcile()
  allReady(director.table.get('p1'))
  let sequence = 1
  const say = (peer: string, placementId: string, sessionsOpen: number): void => {
    const stage = director.table.get(placementId)?.stageOn(peer)
    if (stage === undefined) throw new Error('it serves that')
    const { manifestSha256: manifest } = model
    const stages = [{ placementId, manifest, range: stage.range, decodeMsPerLayer: 0, sessionsOpen, sessionsMax: 2 }]
    registry.seen(peer, advert(peer, 2.5, { sequence: ++sequence, stages }))
  }
  const first = director.table.get('p1')
  if (first === undefined) throw new Error('it is placed')
  return { ...mesh, model, first, say }
}

t.test('slots that another coordinator has are not free', async t => {
  const { director, model, say } = placed()
  let told = 0
  director.onChange(() => told++)
  say('a', 'p1', 2)
  t.equal(director.choose(model).type, 'busy')
  const before = told
  say('a', 'p1', 1)
  t.equal(director.choose(model).type, 'ready')
  t.ok(told > before, 'whoever waits hears of it')
})

t.test('sessions of our own are not taken for another’s', async t => {
  const { director, model, first, say } = placed()
  director.takeSlot(first)
  say('a', 'p1', 1)
  t.equal(director.choose(model).type, 'ready', 'one is ours')
  director.freeSlot(first)
  say('a', 'p1', 1)
  director.takeSlot(first)
  t.equal(director.choose(model).type, 'ready', 'that had ended when the advert came, and not when it was written')
  say('a', 'p1', 2)
  t.equal(director.choose(model).type, 'busy', 'one is ours, the other is not')
})

t.test('what is said of placements that are not known, or are no more, is forgotten', async t => {
  const { registry, director, first, say } = placed()
  say('a', 'p1', 2)
  registry.leave('a', 'it died')
  director.reconcile()
  t.equal(director.table.foreign.on('a', 'p1'), 0)
  director.table.foreign.note({ peerId: 'x', advert: advert('x', 1) })
  t.equal(first.state, 'released')
})
