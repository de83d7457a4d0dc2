import { join } from 'node:path'
import { startNode } from '@resultity/node'
import { type Swarm, swarmFor } from '@resultity/testkit'
import { pino } from 'pino'
import { type Test, test } from 'tap'
import { type Asked, ask } from './told-answer.ts'

const messages = [{ role: 'user', content: 'What is the capital of France?' }]
const body = { model: 'tiny-chat', messages, max_tokens: 300, ignore_eos: true, temperature: 0, stream: true }
const numbers = { type: 'array', items: { type: 'integer', minimum: 0, maximum: 99 }, minItems: 100, maxItems: 100 }
const response_format = { type: 'json_schema', json_schema: { name: 'numbers', schema: numbers, strict: true } }
const held = { ...body, max_tokens: 400, ignore_eos: false, temperature: 1, seed: 5, response_format }

/** A node that computes as another kind of processor would. It runs in this process. */
async function addOther(t: Test, swarm: Swarm): Promise<string> {
  const node = await startNode({
    dataDir: t.testdir(),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join: swarm.coordinator.multiaddrs,
    mdns: false,
    threads: 1,
    labels: {},
    blobSources: [join(swarm.coordinator.dataDir, 'blobs')],
    otherKernels: true,
    logger: pino({ level: 'silent' })
  })
  t.teardown(() => node.close())
  return node.peerId
}

interface Known {
  readonly peerId: string
  readonly kernels: string | null
}

async function kernelsOf({ url }: Swarm): Promise<Map<string, string | null>> {
  const { data }: { data: Known[] } = await (await fetch(`${url}/v1/mesh/nodes`)).json()
  return new Map(data.map(({ peerId, kernels }) => [peerId, kernels]))
}

/** Asks, and kills the last node of the route in the midst. */
async function askAndKill(swarm: Swarm, asked: Asked) {
  let route: readonly { readonly peerId: string }[] = []
  const placements: { data: { state: string; stages: { peerId: string }[] }[] } = await (
    await fetch(`${swarm.url}/v1/mesh/placements`)
  ).json()
  route = placements.data.find(({ state }) => state === 'ready')?.stages ?? []
  const victim = swarm.nodes.find(({ peerId }) => peerId === route.at(-1)?.peerId)
  let pieces = 0
  let gone: Promise<void> | undefined
  const told = await ask(swarm.url, asked, () => {
    if (++pieces === 20) gone = victim?.kill('SIGKILL')
  })
  await gone
  return { told, spare: told.mesh.route.at(-1)?.peerId }
}

test('an answer goes on where nodes compute alike, and where none does as well', async t => {
  const swarm = await swarmFor(t, { nodes: 2, stages: 2 })
  const undisturbed = await ask(swarm.url, { body })
  const other = await addOther(t, swarm)
  const same = await swarm.addNode()
  await swarm.untilNodes(4)
  const kernels = await kernelsOf(swarm)
  t.equal(new Set(kernels.values()).size, 2, 'two classes')
  t.equal(kernels.get(same.peerId), kernels.get(swarm.nodes[0]?.peerId ?? ''))
  t.not(kernels.get(other), kernels.get(same.peerId))

  const alike = await askAndKill(swarm, { body })
  t.equal(alike.spare, same.peerId, 'the one of the same class takes the layers')
  t.same(alike.told.choices, undisturbed.choices)
  t.match(alike.told.mesh.reroutes, { exact: true })

  const unlike = await askAndKill(swarm, { body: held })
  t.equal(unlike.spare, other, 'there is only one of another class')
  t.equal(unlike.told.choices[0]?.finish, 'stop')
  t.equal(JSON.parse(unlike.told.choices[0]?.text ?? '').length, 100, 'the answer is whole, and what it must be')
  t.match(unlike.told.mesh.reroutes, { exact: false }, 'and it says so')
  const metrics = await (await fetch(`${swarm.url}/metrics`)).text()
  t.match(metrics, /resultity_reroutes_total\{model="tiny-chat",exact="false"\} [1-9]/)
})
