import type { OpenSession } from '@resultity/wire'
import t from 'tap'
import { openOf, PREFILL_CHUNK, PROMPT, RingRoute, SESSION, StageRing, TOKENS_MAX } from './support/stage-ring.ts'

/** Tokens that came before the loss. */
const BEFORE = 9

/** An answer on three nodes, of which `lost` is killed in its midst; what is left of the others is parked. */
async function interrupted(lost: number, sentLogBytes?: number, opened: Partial<OpenSession> = {}) {
  const ring = new StageRing()
  const coordinator = await ring.coordinator()
  const log = sentLogBytes === undefined ? {} : { sentLogBytes }
  const nodes = [await ring.node(0, log), await ring.node(1, log), await ring.node(2, log)]
  const whole = await RingRoute.open(ring, coordinator, nodes, opened)
  const undisturbed = await whole.run(TOKENS_MAX)
  await whole.close(false)
  const first = await RingRoute.open(ring, coordinator, nodes, opened)
  const kept = first.opened[0]?.kept ?? 0
  const committed = (await first.run(BEFORE)).slice(0, BEFORE)
  const [victim] = nodes.splice(lost, 1, await ring.node(lost, log))
  if (victim !== undefined) ring.kill(victim)
  await ring.scheduler.run(() => false, 50)
  await first.close(true)
  const limit = PROMPT.length + BEFORE - 2
  const fields = { epoch: 2, placementId: 'p2', committed, keepPositions: limit }
  return { ring, coordinator, nodes, undisturbed, committed, limit, fields, kept }
}

for (const [lost, what] of ['the first', 'the middle', 'the last'].entries()) {
  t.test(`when ${what} stage is lost, it alone computes again`, async t => {
    const { ring, coordinator, nodes, undisturbed, committed, limit, fields } = await interrupted(lost)
    t.same(
      nodes.map(({ stages }) => stages.parked.size),
      nodes.map((_, index) => (index === lost ? 0 : 1))
    )
    const route = await RingRoute.open(ring, coordinator, nodes, fields)
    const held = nodes.map((_, index) => (index === lost ? 0 : limit))
    t.match(
      route.opened.map(frame => frame?.resumes?.held),
      held
    )
    t.equal(route.opened[0]?.resumes?.loggedFrom, 0, 'all that it sent is kept')
    const orders = held.map((begin, index) => ({ begin, sendFrom: held[index + 1] ?? begin }))
    const tokens = await route.run(TOKENS_MAX - BEFORE, orders)
    t.same([...committed, ...tokens], undisturbed, 'the answer is the one of a route that was not disturbed')
    t.match(
      route.controls.at(-1)?.said.find(({ type }) => type === 'replayed'),
      { exact: true, position: limit + 1 },
      'the last token that stood came out the same'
    )
    await route.close(false)
    const positions = PROMPT.length + TOKENS_MAX - 1
    t.same(
      nodes.map(({ records }) => records.at(-1)),
      held.map(has => ({ epoch: 2, held: has, computed: positions - has }))
    )
    for (const { server, stages } of nodes) {
      t.same([server.sessionsOpen, stages.parked.size, server.sentLogBytes], [0, 0, 0], 'nothing is left')
    }
  })
}

t.test('nor where the prompt began with what was kept of another: what was sent of that is kept, too', async t => {
  const blocks = [1, 2, 3, 4].map(number => `0${number}`.repeat(16))
  const prefix = { prefix: { blocks, afresh: false } }
  const { ring, coordinator, nodes, undisturbed, committed, limit, fields, kept } = await interrupted(
    2,
    1 << 20,
    prefix
  )
  t.equal(kept, 32)
  const afresh = { ...fields, prefix: { blocks, afresh: true } }
  const route = await RingRoute.open(ring, coordinator, nodes, afresh)
  t.match(
    route.opened.map(frame => frame?.resumes),
    [
      { held: limit, loggedFrom: 0 },
      { held: limit, loggedFrom: 0 },
      { held: 0, loggedFrom: 0 }
    ]
  )
  const tokens = await route.run(TOKENS_MAX - BEFORE, [
    { begin: limit, sendFrom: limit },
    { begin: limit, sendFrom: 0 },
    { begin: 0, sendFrom: 0 }
  ])
  t.same([...committed, ...tokens], undisturbed)
})

t.test('a stage that has kept nothing of what it sent computes it again, those behind the lost one do not', async t => {
  const { ring, coordinator, nodes, undisturbed, committed, limit, fields } = await interrupted(1, 0)
  const route = await RingRoute.open(ring, coordinator, nodes, fields)
  t.match(route.opened[0]?.resumes, { held: limit, loggedFrom: limit })
  const tokens = await route.run(TOKENS_MAX - BEFORE, [
    { begin: 0, sendFrom: 0 },
    { begin: 0, sendFrom: limit },
    { begin: limit, sendFrom: limit }
  ])
  t.same([...committed, ...tokens], undisturbed)
  await route.close(false)
  const positions = PROMPT.length + TOKENS_MAX - 1
  t.same(
    nodes.map(({ records }) => records.at(-1)?.computed),
    [positions, positions, positions - limit]
  )
})

t.test('a second loss in the midst of going on leaves the others what they have', async t => {
  const { ring, coordinator, nodes, undisturbed, committed, limit, fields } = await interrupted(1)
  const spare = await ring.node(2)
  const second = await RingRoute.open(ring, coordinator, nodes, fields)
  void second.run(0, [
    { begin: limit, sendFrom: 0 },
    { begin: 0, sendFrom: limit },
    { begin: limit, sendFrom: limit }
  ])
  // some of the prompt has run
  await ring.scheduler.run(() => false, 45)
  const [victim] = nodes.splice(2, 1, spare)
  if (victim !== undefined) ring.kill(victim)
  await ring.scheduler.run(() => false, 50)
  await second.close(true)
  const third = await RingRoute.open(ring, coordinator, nodes, { ...fields, epoch: 3, placementId: 'p1' })
  const [, middle] = third.opened
  const half = middle?.resumes?.held ?? 0
  t.ok(half > 0 && half < limit && half % PREFILL_CHUNK === 0, `the new middle stage had got to ${half}`)
  const tokens = await third.run(TOKENS_MAX - BEFORE, [
    { begin: limit, sendFrom: half },
    { begin: half, sendFrom: 0 },
    { begin: 0, sendFrom: 0 }
  ])
  t.same([...committed, ...tokens], undisturbed)
})

t.test('what is parked goes when its lease has passed, or another session needs the slot', async t => {
  const { ring, coordinator, nodes, limit, fields } = await interrupted(2)
  const [first, middle] = nodes
  if (first === undefined || middle === undefined) throw new Error('there are three nodes')
  t.equal(first.stages.served()[0]?.sessionsOpen, 0, 'no slot is said to be taken')
  for (const number of [1, 2]) {
    await ring.dial(coordinator, first, {
      ...openOf([first], 0),
      session: new Uint8Array(16).fill(number),
      next: undefined
    })
  }
  await ring.scheduler.run(() => first.server.sessionsOpen === 2, 1000)
  t.same([first.server.sessionsOpen, first.stages.parked.size, first.server.sentLogBytes], [2, 0, 0])
  t.equal(middle.stages.parked.size, 1)
  await ring.scheduler.run(() => false, 25_000)
  t.same([middle.stages.parked.size, middle.server.sentLogBytes], [0, 0])
  const late = await RingRoute.open(ring, coordinator, nodes.slice(1), fields)
  t.match(late.opened[0]?.resumes, { held: 0 }, 'a coordinator that comes late is told so')
  t.ok(limit > 0)
})

t.test('nobody but its coordinator goes on with it, and only with the same answer on the same stage', async t => {
  const other = await interrupted(2)
  const stranger = await other.ring.coordinator()
  const [, middle] = other.nodes
  if (middle === undefined) throw new Error('there are three nodes')
  const foreign = await other.ring.dial(stranger, middle, openOf(other.nodes, 1, other.fields))
  await other.ring.scheduler.run(() => foreign.said.length > 0, 10_000)
  t.equal(middle.stages.parked.size, 1, 'it stays for whom it is')

  for (const change of [{ tokensMax: TOKENS_MAX + 1 }, { prefillChunk: 4 }, { keepPositions: 0 }]) {
    const { ring, coordinator, nodes, fields } = await interrupted(2)
    const { keepPositions, ...others } = { ...fields, ...change }
    const keeps = keepPositions > 0 ? { keepPositions } : {}
    const route = await RingRoute.open(ring, coordinator, nodes.slice(0, 2), { ...others, ...keeps })
    t.equal(route.opened[0]?.resumes?.held ?? 0, 0, JSON.stringify(change))
    t.equal(nodes[0]?.stages.parked.size, 0, 'and it is gone')
  }
})

t.test('an order that does not fit what a stage has is a violation', async t => {
  const orders = [
    { begin: 48, sendFrom: 48 },
    { begin: 47, sendFrom: 3 }
  ]
  for (const order of orders) {
    const { ring, coordinator, nodes, fields } = await interrupted(2)
    const route = await RingRoute.open(ring, coordinator, nodes, fields)
    const id = { session: SESSION, epoch: 2 }
    route.controls[0]?.send({ type: 'resume', ...id, ...order })
    const said = route.controls[0]?.said ?? []
    await ring.scheduler.run(() => said.some(({ type }) => type === 'fault'), 10_000)
    t.match(said.at(-1), { type: 'fault', error: { code: 'protocol_violation' } }, JSON.stringify(order))
    t.equal(nodes[0]?.server.sessionsOpen, 0)
  }
})

t.test('a stage whose neighbour heard first that the answer is over keeps nothing', async t => {
  const ring = new StageRing()
  const coordinator = await ring.coordinator()
  const nodes = [await ring.node(0), await ring.node(1), await ring.node(2)]
  const route = await RingRoute.open(ring, coordinator, nodes)
  await route.run(3)
  route.controls[0]?.send({ type: 'close', session: SESSION, reason: 'the client hung up', keep: true })
  const middle = route.controls[1]?.said ?? []
  await ring.scheduler.run(() => middle.some(({ type }) => type === 'fault'), 10_000)
  t.match(middle.at(-1), { error: { code: 'node_lost' } })
  t.equal(nodes[1]?.server.sessionsOpen, 1, 'it waits for its coordinator')
  await route.close(false)
  for (const { server, stages } of nodes) {
    t.same([server.sessionsOpen, stages.parked.size, server.sentLogBytes], [0, 0, 0])
  }
})

t.test('and one whose coordinator is gone, too', async t => {
  const ring = new StageRing()
  const coordinator = await ring.coordinator()
  const nodes = [await ring.node(0), await ring.node(1), await ring.node(2)]
  const route = await RingRoute.open(ring, coordinator, nodes)
  await route.run(3)
  await coordinator.close()
  await ring.scheduler.run(() => nodes.every(({ server }) => server.sessionsOpen === 0), 60_000)
  for (const { server, stages } of nodes) {
    t.same([server.sessionsOpen, stages.parked.size, server.sentLogBytes], [0, 0, 0])
  }
})
