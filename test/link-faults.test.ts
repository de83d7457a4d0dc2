import { addShapedNode, type ShapedNode, swarmFor } from '@resultity/testkit'
import { test } from 'tap'
import { type Asked, ask, type Told } from './told-answer.ts'

const messages = [{ role: 'user', content: 'What is the capital of France?' }]
const endless = { model: 'tiny-chat', messages, max_tokens: 250, ignore_eos: true, temperature: 0 }
const streamed: Asked = { body: { ...endless, stream: true } }

test('an answer outlives the links between its nodes, which are all there', async t => {
  const swarm = await swarmFor(t, { nodes: 0, stages: 3 })
  const shaped: ShapedNode[] = await Promise.all(Array.from({ length: 5 }, () => addShapedNode(swarm)))
  t.teardown(async () => {
    for (const { shaper } of shaped) await shaper[Symbol.asyncDispose]()
  })
  await swarm.untilNodes(5)
  await swarm.untilPlaced(({ state, stages }) => state === 'ready' && stages.length === 3)
  const undisturbed = await ask(swarm.url, streamed)
  const route = peersOf(undisturbed)
  const shaperOf = (peerId: string | undefined) => shaped.find(({ node }) => node.peerId === peerId)?.shaper

  await t.test('one that is reset is made again', async t => {
    const told = await ask(
      swarm.url,
      streamed,
      onPiece(20, () => shaperOf(route[1])?.drop())
    )
    t.same(told.choices, undisturbed.choices)
    t.match(told.mesh.reroutes, { exact: true })
    t.same(peersOf(told), route, 'by the same nodes')
  })

  await t.test('one that stalls in the midst of an answer is gone round', async t => {
    const told = await ask(
      swarm.url,
      streamed,
      onPiece(20, () => shaperOf(route[1])?.stallOpen())
    )
    t.same(told.choices, undisturbed.choices, 'no token is another, missing or told twice')
    t.match(told.mesh.reroutes, { count: 1, exact: true })
    t.notOk(areBeside(peersOf(told), route[0], route[1]), 'these two are not beside each other')
    t.equal(peersOf(told).filter(peerId => route.includes(peerId)).length, 2, 'and the others are where they were')
    const next = await ask(swarm.url, streamed)
    t.same(next.choices, undisturbed.choices)
    t.equal(next.mesh.reroutes, undefined, 'nor in the next')
    t.same(peersOf(next), peersOf(told))
  })

  await t.test('and one that stalls between two answers', async t => {
    const [, second] = peersOf(await ask(swarm.url, streamed))
    shaperOf(second)?.set({ stalled: true })
    for (const name of ['the next request is answered', 'and the one behind it']) {
      const told = await ask(swarm.url, streamed)
      t.same(told.choices, undisturbed.choices, name)
    }
  })
})

function onPiece(piece: number, act: () => void): () => void {
  let pieces = 0
  return () => {
    if (++pieces === piece) act()
  }
}

function peersOf({ mesh }: Told): string[] {
  return mesh.route.map(({ peerId }) => peerId)
}

/** Whether one of two nodes sends to the other. */
function areBeside(route: readonly string[], one: string | undefined, other: string | undefined): boolean {
  return route.some((peerId, index) => {
    const next = route[(index + 1) % route.length]
    return (peerId === one && next === other) || (peerId === other && next === one)
  })
}
