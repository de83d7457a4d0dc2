import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { MeshError } from '@resultity/interface'
import { NodeLosses } from '@resultity/placement'
import t, { type Test } from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

/** Starts some processes, one after the other. */

const child = fileURLToPath(new URL('./support/poison-child.js', import.meta.url))
const STARTS_MAX = 20

/** Does a batch in a process after the other, for as long as they are killed. @returns what the last said, and how many were */
async function untilDone(t: Test, bodies: readonly object[]) {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-poison-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  for (let killed = 0; killed < STARTS_MAX; killed++) {
    const doing = killed === 0 ? [JSON.stringify(bodies)] : []
    const started = spawn(process.execPath, [child, dataDir, ...doing], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [said, [code, signal]] = await Promise.all([text(started.stdout), once(started, 'exit')])
    if (signal === 'SIGKILL') continue
    t.equal(code, 0)
    return { killed, ...JSON.parse(said) }
  }
  throw new Error(`${STARTS_MAX} processes were killed`)
}

t.test('a line that ends the coordinator that reads it is given up, and the batch goes on', async t => {
  const done = await untilDone(t, [{}, { dies: 'prepared' }, {}])
  t.equal(done.killed, 3)
  t.match(done, {
    state: 'succeeded',
    batch: { status: 'completed', linesCompleted: 2, linesFailed: 1 },
    wrong: [{ line: 2, customId: 'line 2', error: { code: 'interrupted_too_often', message: /3 coordinators ended/ } }],
    jobs: [
      { customId: 'line 1', state: 'succeeded' },
      { customId: 'line 3', state: 'succeeded' }
    ]
  })
})

t.test('a job that ends the coordinator that runs it is given up, and those beside it go on', async t => {
  const done = await untilDone(t, [{}, { dies: 'run' }, {}])
  t.equal(done.killed, 3)
  t.match(done.batch, { status: 'completed', linesCompleted: 2, linesFailed: 1 })
  const failed = done.jobs.filter(({ state }: { state: string }) => state !== 'succeeded')
  t.match(failed, [{ customId: 'line 2', state: 'failed', code: 'interrupted_too_often' }])
})

t.test('nodes that are lost with a job are counted once each, and those that never had it are not', async t => {
  const lost = (peerId: string, facts = {}) =>
    new MeshError('node_lost', `${peerId} went`, { details: { peerId, ...facts } })
  const losses = new NodeLosses(3, 1)
  const [first, again, unreached] = [lost('a'), lost('a'), lost('b', { unreached: true })]
  const other = new MeshError('engine_failed', 'x')
  const link = new MeshError('node_lost', 'nothing passes', { details: { link: ['a', 'b'] } })
  for (const error of [first, again, unreached, other, link]) t.equal(losses.told(error), error)
  t.equal(losses.count, 2)
  t.match(losses.told(lost('c')), {
    code: 'nodes_lost_too_often',
    message: /^3 nodes/,
    hint: /c went/,
    retryable: false
  })
})

t.test('a loss behind which the job had got further does not count', async t => {
  const lost = (peerId: string) => new MeshError('node_lost', `${peerId} went`, { details: { peerId } })
  const losses = new NodeLosses(3, 0)
  for (let index = 0; index < 20; index++) {
    losses.gotFurther()
    const error = lost(`node ${index}`)
    t.equal(losses.told(error), error)
    t.equal(losses.told(error), error, 'another choice of the answer lost it too')
  }
  t.equal(losses.count, 0)
  for (const peerId of ['a', 'b']) losses.told(lost(peerId))
  t.equal(losses.count, 2)
  losses.gotFurther()
  losses.told(lost('c'))
  t.equal(losses.count, 2)
  t.match(losses.told(lost('d')), { code: 'nodes_lost_too_often' })
})

t.test('an answer that loses more nodes than a job may, and gets on between them, is finished', async t => {
  await using mesh = await startScriptedMesh(1, { limits: { jobNodeLossesMax: 1, lossNoticeMs: 1 } })
  mesh.ring.script = async ({ open, stages, sample }) => {
    if (open.epoch === 7) return await sample([72], 'tokens_max')
    await sample([72])
    stages[0]?.cut()
  }
  const response = await mesh.post({ ...QUESTION, max_tokens: 7 })
  t.match(await response.json(), { usage: { completion_tokens: 7 }, mesh: { reroutes: { count: 6 } } })
})

t.test('a job that loses node after node is not carried to the next', async t => {
  await using mesh = await startScriptedMesh(1, { limits: { jobRetryMs: 1, jobAttemptsMax: 9, lossNoticeMs: 1 } })
  let begun = 0
  mesh.ring.script = ({ stages }) => {
    begun++
    stages[0]?.cut()
  }
  const { httpUrl } = mesh.coordinator
  const headers = { prefer: 'respond-async' }
  const sent = await fetch(httpUrl + CHAT, { method: 'POST', headers, body: JSON.stringify(QUESTION) })
  const { id } = await sent.json()
  const result = await fetch(`${httpUrl}/v1/requests/${id}/events`)
  await result.text()
  const view = await (await fetch(`${httpUrl}/v1/requests/${id}`)).json()
  t.match(view, {
    status: 'failed',
    attempts: 3,
    error: { code: 'nodes_lost_too_often', message: /3 nodes were lost/ }
  })
  t.equal(begun, 5 + 5 + 1, 'on five routes in each attempt, all of them of one placement, which counts once')
})
