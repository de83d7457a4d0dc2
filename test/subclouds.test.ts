import { swarmFor } from '@resultity/testkit'
import t from 'tap'
import { ask, type ChatBody, postChat } from './chat-client.ts'
import { eventually } from './mesh-state.ts'

const ADMIN = '/v1/admin/subclouds'
const question: ChatBody = {
  model: 'tiny-chat',
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
  max_tokens: 8
}

// loading models and starting processes takes its time on a busy machine

const eu = JSON.stringify({ region: 'eu', isolated: true })
const swarm = await swarmFor(t, {
  nodes: 2,
  stages: 2,
  nodeArgs: ['--label=region=us'],
  coordinatorArgs: [`--subcloud=eu=${eu}`]
})
const us = swarm.nodes.map(({ peerId }) => peerId)
const added = await Promise.all([1, 2].map(() => swarm.addNode({ args: ['--label=region=eu'] })))
const theirs = added.map(({ peerId }) => peerId)
await swarm.untilNodes(4)

const peersOf = (route: string): string[] => [...route.matchAll(/(\w+)\[/g)].map(match => match[1] ?? '').toSorted()

t.test('a request for a subcloud runs on its nodes only, in several stages, and others on the rest', async t => {
  const general = await ask(swarm.url, question)
  t.same(peersOf(general.route), us.toSorted(), 'isolated nodes do not serve the general pool')
  const inBody = await ask(swarm.url, { ...question, mesh: { subcloud: 'eu' } })
  t.same(peersOf(inBody.route), theirs.toSorted())
  const byPath = await ask(`${swarm.url}/subclouds/eu`, question)
  t.same(peersOf(byPath.route), theirs.toSorted())
  t.equal(byPath.answer.choices[0]?.message.content, general.answer.choices[0]?.message.content)
  const one = await ask(`${swarm.url}/subclouds/eu`, { ...question, mesh: { stages: 1 } })
  t.ok(theirs.includes(peersOf(one.route)[0] ?? ''))
  t.equal(peersOf(one.route).length, 1)
})

t.test('requests may name nodes and regions', async t => {
  const [, second = ''] = us
  const { route } = await ask(swarm.url, { ...question, mesh: { nodes: [second] } })
  t.same(peersOf(route), [second])
  const region = await ask(swarm.url, { ...question, mesh: { region: 'us' } })
  t.same(peersOf(region.route), us.toSorted())
  const isolated = await postChat(swarm.url, { ...question, mesh: { region: 'eu' } })
  t.equal(isolated.status, 503, 'isolated nodes are had by their subcloud only')
  t.match(await isolated.json(), { error: { code: 'layers_missing', message: /in region "eu": no node is here/ } })
})

t.test('a subcloud that is made over the API serves at once, and is gone when it is removed', async t => {
  const [only = ''] = us
  const body = JSON.stringify({ nodes: [only], models: ['tiny-chat'] })
  const made = await fetch(`${swarm.url}${ADMIN}/small`, { method: 'PUT', body })
  t.match(await made.json(), { name: 'small', source: 'api', members: [only] })
  const placement = await eventually(
    'a placement of the subcloud',
    async () => (await swarm.api.placements()).find(({ subcloud }) => subcloud === 'small'),
    found => found?.state === 'ready'
  )
  t.same(
    placement?.stages.map(({ peerId }) => peerId),
    [only],
    'before anybody asks'
  )
  t.same(peersOf((await ask(`${swarm.url}/subclouds/small`, question)).route), [only])
  const node = (await swarm.api.nodes()).find(({ peerId }) => peerId === only)
  t.same(node?.subclouds, ['small'])
  t.equal((await fetch(`${swarm.url}${ADMIN}/small`, { method: 'DELETE' })).status, 200)
  t.notOk((await swarm.api.placements()).some(({ subcloud, state }) => subcloud === 'small' && state === 'ready'))
  t.equal((await postChat(`${swarm.url}/subclouds/small`, question)).status, 404)
})

t.test('a batch of a subcloud runs on its nodes', async t => {
  const requests = [1, 2, 3].map(index => ({ custom_id: `${index}`, url: '/v1/chat/completions', body: question }))
  const response = await fetch(`${swarm.url}/subclouds/eu/v1/batch`, {
    method: 'POST',
    body: JSON.stringify({ requests })
  })
  const { responses } = await response.json()
  for (const { response: answer } of responses) {
    const route: { peerId: string }[] = answer.body.mesh.route
    t.same(route.map(({ peerId }) => peerId).toSorted(), theirs.toSorted())
  }
})
