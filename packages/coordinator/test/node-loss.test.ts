import { createServer } from 'node:net'
import { MeshError } from '@resultity/interface'
import { eventually } from '@resultity/test-api'
import { type Ring, readyReport, ScriptedNode } from '@resultity/test-nodes'
import type { OpenSession } from '@resultity/wire'
import { pino } from 'pino'
import t from 'tap'
import { startCoordinator } from '../src/index.ts'
import { QUESTION, readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

/** Tokens that are a letter each. */
const [A, B, C] = [72, 73, 74]

t.test('a node that dies mid-stream costs a pause, and the rest serves on', async t => {
  await using mesh = await startScriptedMesh(2)
  const [first, second] = mesh.nodes
  const opened: OpenSession[] = []
  mesh.ring.script = ring => {
    opened.push(ring.open)
    return ring.open.epoch === 1 ? ring.sample([A]) : ring.sample([B, C], 'tokens_max')
  }
  const response = await mesh.post({ ...QUESTION, max_tokens: 3, stream: true })
  const [read, rest] = response.body?.tee() ?? []
  const text = mesh.tokenizer.decode([A])
  let seen = ''
  for await (const piece of read?.pipeThrough(new TextDecoderStream()) ?? []) {
    seen += piece
    if (seen.includes(JSON.stringify(text))) break
  }
  await second?.kill()
  const events = await readEvents(new Response(rest))
  t.equal(events.at(-1), '[DONE]')
  const chunks = events.slice(0, -1).map(event => JSON.parse(event))
  const pieces = chunks.map(({ choices }) => choices[0]?.delta.content ?? '')
  t.equal(pieces.join(''), mesh.tokenizer.decode([A, B, C]))
  t.match(chunks.find(chunk => chunk.mesh !== undefined)?.mesh, {
    route: [{ peerId: first?.peerId, range: { first: 0, end: 4 } }],
    reroutes: { count: 1, exact: true }
  })
  const metrics = await (await fetch(`${mesh.coordinator.httpUrl}/metrics`)).text()
  t.match(metrics, /^resultity_reroutes_total\{model="tiny-chat",exact="true"\} 1$/m)
  const [before, after] = opened
  t.same(after?.session, before?.session, 'the same session, on another route')
  t.match(before, { epoch: 1, committed: undefined })
  t.match(after, { epoch: 2, committed: [A], tokensMax: 3 })

  mesh.ring.script = ({ sample }) => sample([5], 'tokens_max')
  const next = await mesh.post({ ...QUESTION, max_tokens: 1 })
  t.equal(next.status, 200, 'one node is enough for the model: it was given all layers')
  t.match(next.headers.get('x-resultity-route'), /^\w+\[0,4\)$/)
  await Promise.all([first?.kill(), second?.kill()])
  const gone = await mesh.post(QUESTION)
  t.equal(gone.status, 503)
  t.ok(gone.headers.get('retry-after'))
  t.ok(gone.headers.get('retry-after-ms'))
  t.match(await gone.json(), { error: { code: 'layers_missing', message: /\[0,4\)/ } })
  const ready = await fetch(`${mesh.coordinator.httpUrl}/readyz`)
  t.equal(ready.status, 503, 'not ready any more')
})

t.test('the node that died is named, not the neighbours that noticed', async t => {
  await using mesh = await startScriptedMesh(3, { limits: { lossNoticeMs: 1 } })
  const lost = new MeshError('node_lost', 'my neighbour went away')
  mesh.ring.script = async ({ stages, open: { session, epoch }, sample }) => {
    if (epoch === 1) await sample([5])
    for (const stage of stages.slice(1)) await stage.send({ type: 'fault', session, epoch, error: lost })
    for (const stage of stages.slice(1)) stage.cut()
    stages[0]?.cut()
  }
  const events = await readEvents(await mesh.post({ ...QUESTION, stream: true }))
  t.match(JSON.parse(events.at(-1) ?? ''), { error: { code: 'node_lost', message: /layers \[0,2\) was lost/ } })
  mesh.ring.script = ({ stages, open: { session, epoch } }) =>
    stages[1]?.send({ type: 'fault', session, epoch, error: lost })
  const unknown = await mesh.post({ ...QUESTION, stream: true })
  const told = JSON.parse((await readEvents(unknown)).at(-1) ?? '')
  t.match(
    told,
    { error: { code: 'node_lost', message: /my neighbour went away/ } },
    'if nobody died, it is what was said'
  )
})

t.test('an answer that comes out otherwise on another route goes on, and says so', async t => {
  await using mesh = await startScriptedMesh(1, { limits: { lossNoticeMs: 1 } })
  mesh.ring.exact = false
  mesh.ring.script = async ({ open, sample, stages }) => {
    await sample([A], open.epoch === 3 ? 'tokens_max' : 'continues')
    if (open.epoch < 3) stages[0]?.cut()
  }
  const events = await readEvents(await mesh.post({ ...QUESTION, max_tokens: 3, stream: true }))
  t.equal(events.at(-1), '[DONE]')
  const chunks = events.slice(0, -1).map(event => JSON.parse(event))
  const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
  t.equal(text, mesh.tokenizer.decode([A, A, A]))
  t.match(chunks.find(chunk => chunk.mesh !== undefined)?.mesh.reroutes, { count: 2, exact: false })
})

t.test('a client that hangs up while its answer has no route ends it', async t => {
  await using mesh = await startScriptedMesh(1, { limits: { lossNoticeMs: 600_000 } })
  mesh.ring.script = async ({ sample, stages }) => {
    await sample([5])
    stages[0]?.cut()
  }
  const metrics = async (): Promise<string> => (await fetch(`${mesh.coordinator.httpUrl}/metrics`)).text()
  const client = new AbortController()
  const body = JSON.stringify({ ...QUESTION, stream: true })
  const response = await mesh.post(body, { signal: client.signal })
  await eventually('the route is lost', metrics, text => /^resultity_sessions_open 0$/m.test(text))
  client.abort()
  await t.rejects(response.text())
  const canceled = /^resultity_generations_total\{.*outcome="canceled"\} 1$/m
  await eventually('the answer has ended', metrics, text => canceled.test(text))
  mesh.ring.script = ({ sample, open }) => sample(Array(open.tokensMax).fill(5), 'tokens_max')
  t.equal((await mesh.post({ ...QUESTION, max_tokens: 1 })).status, 200, 'its slot is free')
})

t.test('what concerns one request only is tried once more', async t => {
  await using mesh = await startScriptedMesh(1)
  const error = new MeshError('engine_failed', 'the engine is out of order')
  let routes = 0
  mesh.ring.script = async ({ open: { session, epoch }, sample, stages }) => {
    routes++
    await sample([5])
    await stages[0]?.send({ type: 'fault', session, epoch, error })
  }
  const failed = await mesh.post(QUESTION)
  t.equal(failed.status, 500)
  t.match(await failed.json(), { error: { code: 'engine_failed', message: /layers \[0,4\): the engine/ } })
  t.equal(routes, 2)
})

t.test('a node that does not answer is left, if others can go on, and waited for if none can', async t => {
  await using mesh = await startScriptedMesh(2, { limits: { probeAnswerMs: 100 } })
  const [first, second] = mesh.nodes
  const routes: string[][] = []
  mesh.ring.script = async ({ open, sample, stages }) => {
    routes.push(stages.map(({ node }) => node.peerId))
    if (open.epoch > 1) return sample([B], 'tokens_max')
    await sample([A])
    const last = stages.at(-1)?.node
    if (last !== undefined) last.deaf = true
  }
  const response = await mesh.post({ ...QUESTION, max_tokens: 2 })
  t.equal(response.status, 200)
  const { choices, mesh: report } = await response.json()
  t.equal(choices[0].message.content, mesh.tokenizer.decode([A, B]))
  t.match(report.reroutes, { count: 1, exact: true })
  const left = routes[0]?.[1]
  const others = [first?.peerId, second?.peerId].filter(peerId => peerId !== left)
  t.same(routes[1], others)
  const listed = await (await fetch(`${mesh.coordinator.httpUrl}/v1/mesh/nodes`)).json()
  t.equal(listed.data.length, 2, 'it has not left the mesh')

  const [node] = mesh.nodes.filter(({ peerId }) => peerId !== left)
  const probed = Promise.withResolvers<void>()
  mesh.ring.script = async ({ sample }) => {
    if (node !== undefined) node.deaf = true
    await sample([A])
    await probed.promise
    await sample([B], 'tokens_max')
  }
  if (node !== undefined) node.onProbe = () => probed.resolve()
  const waited = await mesh.post({ ...QUESTION, max_tokens: 2 })
  t.equal((await waited.json()).mesh.reroutes, undefined, 'nobody else is there')
})

t.test('a node that is lost before the session opens costs the client nothing', async t => {
  await using mesh = await startScriptedMesh(0)
  const coordinates = { peerId: mesh.coordinator.peerId, multiaddrs: mesh.coordinator.multiaddrs() }
  const dying = await ScriptedNode.start({ onSession: ({ node }) => node.kill() })
  await dying.join(coordinates)
  await waitUntilReady(mesh.coordinator.httpUrl)
  const healthy = await ScriptedNode.start({ onSession: mesh.ring.onSession })
  await healthy.join(coordinates)
  const response = await mesh.post({ ...QUESTION, max_tokens: 1 })
  t.equal(response.status, 200)
  t.equal(response.headers.get('x-resultity-route'), `${healthy.peerId}[0,4)`)
  await healthy.kill()
})

t.test('a stage that refuses the session fails the request before any header of a stream', async t => {
  await using mesh = await startScriptedMesh(1)
  const [node] = mesh.nodes
  const coordinates = { peerId: mesh.coordinator.peerId, multiaddrs: mesh.coordinator.multiaddrs() }
  const error = new MeshError('engine_failed', 'the engine is out of order')
  const refusing = await ScriptedNode.start({
    onSession: ({ open, send }) => send({ type: 'fault', session: open.session, epoch: open.epoch, error })
  })
  await node?.kill()
  await refusing.join(coordinates)
  const response = await mesh.post({ ...QUESTION, stream: true })
  t.equal(response.status, 500)
  t.match(await response.json(), {
    error: { code: 'engine_failed', message: /layers \[0,4\): the engine is out of order/ }
  })
  await refusing.kill()
})

t.test('busy slots are waited for, then refused', async t => {
  await using mesh = await startScriptedMesh(1, { sessionsMax: 1, limits: { slotWaitMs: 50 } })
  const began = Promise.withResolvers<Ring>()
  mesh.ring.script = began.resolve
  const first = mesh.post(QUESTION)
  const ring = await began.promise
  const busy = await mesh.post(QUESTION)
  t.equal(busy.status, 503)
  t.match(await busy.json(), { error: { code: 'resource_exhausted', message: /no slot/ } })
  t.ok(busy.headers.get('retry-after'))
  await ring.sample(Array(ring.open.tokensMax).fill(5), 'tokens_max')
  t.equal((await first).status, 200)
  mesh.ring.script = ({ sample, open }) => sample(Array(open.tokensMax).fill(5), 'tokens_max')
  // free once the stage has confirmed, which may take longer than anybody waits here
  let again = await mesh.post(QUESTION)
  while (again.status === 503) again = await mesh.post(QUESTION)
  t.equal(again.status, 200, 'its slot is free again')
})

t.test('too many requests are refused at once', async t => {
  // whoever waits for the slot has it in the end, however slow this machine is
  const limits = { slotWaitMs: 600_000, requestsMax: 2 }
  await using mesh = await startScriptedMesh(1, { sessionsMax: 1, limits })
  const began = Promise.withResolvers<Ring>()
  mesh.ring.script = began.resolve
  const first = mesh.post(QUESTION)
  const ring = await began.promise
  const three = [mesh.post(QUESTION), mesh.post(QUESTION), mesh.post(QUESTION)]
  const over = await Promise.race(three)
  t.equal(over.status, 429, 'one works, one waits, and there is no room for a third')
  t.ok(over.headers.get('retry-after-ms'))
  t.match(await over.json(), { error: { code: 'resource_exhausted', type: 'rate_limit_error' } })
  mesh.ring.script = ({ sample, open }) => sample(Array(open.tokensMax).fill(5), 'tokens_max')
  await ring.sample(Array(ring.open.tokensMax).fill(5), 'tokens_max')
  t.equal((await first).status, 200)
  t.same((await Promise.all(three)).map(({ status }) => status).toSorted(), [200, 429, 429])
})

t.test('an answer without tokens is given up in time', async t => {
  const limits = { firstTokenMs: 1, promptTokenMs: 0, nextTokenMs: 1 }
  await using mesh = await startScriptedMesh(0, { limits })
  const coordinates = { peerId: mesh.coordinator.peerId, multiaddrs: mesh.coordinator.multiaddrs() }
  const node = await ScriptedNode.start({ onSession: mesh.ring.onSession })
  await node.join(coordinates)
  mesh.ring.script = () => {}
  const silent = await mesh.post(QUESTION)
  t.equal(silent.status, 503)
  t.match(await silent.json(), { error: { code: 'node_lost', message: /no first token came within 1 ms/ } })
  t.equal(node.sessionsOpen, 0)
  await node.kill()
})

t.test('who is no node is turned away, and the coordinator stays up', async t => {
  await using mesh = await startScriptedMesh(0, { limits: { nodesMax: 1 } })
  const coordinates = { peerId: mesh.coordinator.peerId, multiaddrs: mesh.coordinator.multiaddrs() }
  const nodes = await Promise.all(Array.from({ length: 4 }, () => ScriptedNode.start()))
  const [forged, early, good, late] = nodes
  if (!forged || !early || !good || !late) throw new Error('four nodes were started')
  await forged.join(coordinates, [await good.hello()])
  t.match(await forged.refused, { code: 'protocol_violation' }, 'an advert that another peer signed')
  await early.join(coordinates, [readyReport('p1')])
  t.match(await early.refused, { code: 'protocol_violation', message: /before a Hello/ })
  await good.join(coordinates)
  await late.join(coordinates)
  t.match(await late.refused, { code: 'resource_exhausted', message: /has its 1 nodes/ })
  good.say(await good.hello())
  t.match(await good.refused, { code: 'protocol_violation', message: /second Hello/ })
  const list = await fetch(`${mesh.coordinator.httpUrl}/v1/mesh/nodes`)
  t.match(await list.json(), { data: [] }, 'nobody is left')
  await Promise.all(nodes.map(node => node.kill()))
})

t.test('a peer that opens a membership and says nothing is turned away in time', async t => {
  await using mesh = await startScriptedMesh(0, { limits: { helloTimeoutMs: 1000 } })
  const silent = await ScriptedNode.start()
  await silent.join({ peerId: mesh.coordinator.peerId, multiaddrs: mesh.coordinator.multiaddrs() }, [])
  t.match(await silent.refused, { code: 'deadline_exceeded', message: /no Hello came within 1000 ms/ })
  await silent.kill()
})

t.test('a failed assignment is told to the client', async t => {
  await using mesh = await startScriptedMesh(0)
  const error = new MeshError('hash_mismatch', 'layer 2 is not what it should be')
  const node = await ScriptedNode.start({
    onAssign: ({ placementId }) => ({ ...readyReport(placementId), state: 'failed', error })
  })
  await node.join({ peerId: mesh.coordinator.peerId, multiaddrs: mesh.coordinator.multiaddrs() })
  const response = await mesh.post(QUESTION)
  t.equal(response.status, 503)
  t.match(await response.json(), { error: { code: 'layers_missing', message: /layer 2 is not what it should be/ } })
  await node.kill()
})

t.test('stopping ends a stream with an event, and a port that is taken is named', async t => {
  const mesh = await startScriptedMesh(1)
  mesh.ring.script = ring => ring.sample([5])
  const response = await mesh.post({ ...QUESTION, stream: true })
  const closed = mesh.coordinator.close()
  const events = await readEvents(response)
  await closed
  t.match(JSON.parse(events.at(-1) ?? ''), { error: { code: 'unavailable', message: /stopping/ } })
  await mesh[Symbol.asyncDispose]()

  const taken = createServer()
  await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve))
  const address = taken.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await t.rejects(
    startCoordinator({
      dataDir: t.testdir(),
      http: { host: '127.0.0.1', port },
      listen: ['/ip4/127.0.0.1/tcp/0'],
      mdns: false,
      models: [],
      logger: pino({ level: 'silent' })
    }),
    { code: 'address_in_use', message: new RegExp(String(port)) }
  )
  taken.close()
})

async function waitUntilReady(httpUrl: string): Promise<void> {
  for (;;) {
    const { status } = await fetch(`${httpUrl}/readyz`)
    if (status === 200) return
  }
}
