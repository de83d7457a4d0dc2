import { eventually } from '@resultity/test-api'
import { addShapedNode, swarmFor } from '@resultity/testkit'
import { test } from 'tap'
import { type Asked, ask } from './told-answer.ts'

const messages = [{ role: 'user', content: 'What is the capital of France?' }]
const streamed: Asked = {
  body: { model: 'tiny-chat', messages, max_tokens: 40, ignore_eos: true, temperature: 0, stream: true }
}

interface BannedLink {
  readonly peers: readonly string[]
  readonly why: string
}

test('who cannot be reached is named when the model is placed, and no request meets it', async t => {
  const swarm = await swarmFor(t, { nodes: 0, stages: 3 })
  // it reaches the others, and nobody reaches it: as behind a router
  const behind = await addShapedNode(swarm)
  behind.shaper.set({ refusing: true })
  t.teardown(() => behind.shaper[Symbol.asyncDispose]())
  for (let count = 0; count < 2; count++) await swarm.addNode()
  await swarm.untilNodes(3)
  const links = async (): Promise<readonly BannedLink[]> => {
    const { data }: { data: readonly BannedLink[] } = await (await fetch(`${swarm.url}/v1/mesh/links`)).json()
    return data
  }
  const [named] = await eventually('a pair is named', links, found => found.length > 0)
  t.match(named, { peers: [String, String], why: new RegExp(behind.node.peerId) })
  t.ok(named?.peers.includes(behind.node.peerId), 'the pair is named, and why')
  t.ok(swarm.logs().includes('a stage does not reach the next'), 'in the log of the coordinator too')
  await swarm.untilPlaced()
  const first = await ask(swarm.url, streamed)
  t.equal(first.mesh.reroutes, undefined, 'it is served in another way')

  for (let count = 0; count < 2; count++) await swarm.addNode()
  await swarm.untilPlaced(({ state, stages }) => state === 'ready' && stages.length === 3)
  for (let count = 0; count < 5; count++) {
    const told = await ask(swarm.url, streamed)
    t.same(told.choices, first.choices)
    t.equal(told.mesh.route.length, 3)
    t.equal(told.mesh.reroutes, undefined, 'no request met what cannot be reached')
  }
})
