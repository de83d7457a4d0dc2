import { MeshError } from '@resultity/interface'
import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { QUESTION, readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

const NOT_NUMBERS = new MeshError('protocol_violation', 'hidden states for position 3 that are no finite numbers')

/** The last stage of the first route blames a peer; what comes after that gives `token`. */
function blaming(token: number, peerOf: (ring: Ring) => string): (ring: Ring) => Promise<void> {
  return async ring => {
    if (ring.stages.length < 2) return ring.sample([token], 'tokens_max')
    const blamedPeer = peerOf(ring)
    const { session, epoch } = ring.open
    await ring.stages.at(-1)?.send({ type: 'fault', session, epoch, error: NOT_NUMBERS, blamedPeer })
  }
}

t.test('whose hidden states are no numbers is left out, and the answer goes on elsewhere', async t => {
  await using mesh = await startScriptedMesh(2)
  let made = ''
  let found = ''
  mesh.ring.script = blaming(5, ({ stages }) => {
    found = stages[1]?.node.peerId ?? ''
    made = stages[0]?.node.peerId ?? ''
    return made
  })
  const events = await readEvents(await mesh.post({ ...QUESTION, max_tokens: 1, stream: true }))
  t.equal(events.at(-1), '[DONE]')
  const chunks = events.slice(0, -1).map(event => JSON.parse(event))
  t.equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join(''), mesh.tokenizer.decode([5]))
  const route = `${found}[0,4)`
  const next = await mesh.post({ ...QUESTION, max_tokens: 1 })
  t.equal(next.status, 200)
  t.equal(next.headers.get('x-resultity-route'), route, 'who found it serves on, and who made it does not')
  t.not(made, found)
})

t.test('a stage may blame the one before it and nobody else', async t => {
  await using mesh = await startScriptedMesh(2)
  mesh.ring.script = blaming(5, ({ stages }) => stages[1]?.node.peerId ?? '')
  const refused = await mesh.post({ ...QUESTION, max_tokens: 1 })
  t.match(await refused.json(), { error: { code: 'protocol_violation' } })
  const { data } = await (await fetch(`${mesh.coordinator.httpUrl}/v1/mesh/placements`)).json()
  t.match(data, [{ state: 'ready', stages: { length: 2 } }], 'nobody is left out')
})

t.test('who tells the coordinator what it may not is left out, and the answer goes on elsewhere', async t => {
  await using mesh = await startScriptedMesh(2)
  let liar = ''
  mesh.ring.script = async ring => {
    if (ring.stages.length < 2) return ring.sample([5], 'tokens_max')
    liar = ring.stages.at(-1)?.node.peerId ?? ''
    await ring.sample([0xffff_fff0], 'tokens_max')
  }
  const first = await mesh.post({ ...QUESTION, max_tokens: 1 })
  t.match(await first.json(), { choices: [{ message: { content: mesh.tokenizer.decode([5]) } }] })
  const next = await mesh.post({ ...QUESTION, max_tokens: 1 })
  t.equal(next.status, 200)
  t.notMatch(next.headers.get('x-resultity-route'), liar)
})
