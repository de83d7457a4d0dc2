import { once } from 'node:events'
import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { CHAT, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(2, { sessionsMax: 4, contextLength: 256, limits: { batchPollMs: 20 } })
t.teardown(() => mesh[Symbol.asyncDispose]())
const url = mesh.coordinator.httpUrl

/** Several steps of a batch, one of anybody else. */
const QUESTION = { model: 'tiny-chat', messages: [{ role: 'user', content: 'What is this? '.repeat(16) }] }

/** Generations that have begun and go on until they are let. */
const atWork: Ring[] = []
const released = new EventTarget()
let changed = Promise.withResolvers<void>()
mesh.ring.script = async ring => {
  atWork.push(ring)
  changed.resolve()
  changed = Promise.withResolvers()
  const end = (): void => {
    atWork.splice(atWork.indexOf(ring), 1)
  }
  void ring.stages[0]?.ended.then(end)
  const ended = ring.stages[0]?.ended.then(() => undefined)
  const event = await Promise.race([once(released, classOf(ring)), ended])
  if (event !== undefined) await ring.sample(Array(ring.open.tokensMax).fill(5), 'tokens_max')
}

const classOf = ({ open }: Ring): string => open.workClass ?? 'interactive'
const countOf = (workClass: string): number => atWork.filter(ring => classOf(ring) === workClass).length

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await changed.promise
}

const ask = () => mesh.post({ ...QUESTION, max_tokens: 3 }).then(response => response.json())

async function beginBatch(lines: number) {
  const body = { ...QUESTION, max_tokens: 3 }
  const text = Array.from({ length: lines }, (_, index) => ({ custom_id: `${index}`, method: 'POST', url: CHAT, body }))
  const form = new FormData()
  form.append('purpose', 'batch')
  form.append('file', new Blob([text.map(line => JSON.stringify(line)).join('\n')]), 'input.jsonl')
  const file = await (await fetch(`${url}/v1/files`, { method: 'POST', body: form })).json()
  const batch = { input_file_id: file.id, endpoint: CHAT, completion_window: '24h' }
  return await (await fetch(`${url}/v1/batches`, { method: 'POST', body: JSON.stringify(batch) })).json()
}

t.test('a batch of thousands is at work, and whoever comes is served before it', async t => {
  const batch = await beginBatch(3000)
  await until(() => countOf('batch') === 3)
  const opened = atWork.flatMap(({ stages }) => stages.map(({ open }) => open))
  t.ok(
    opened.every(({ workClass }) => workClass === 'batch'),
    'every stage knows'
  )
  t.ok(
    opened.every(({ prefillChunk, promptCount }) => promptCount > 36 && prefillChunk <= 36),
    'and runs its prompt in short steps'
  )
  const first = ask()
  await until(() => countOf('interactive') === 1)
  t.equal(countOf('batch'), 3, 'a place was free')
  t.ok(
    atWork.filter(ring => classOf(ring) === 'interactive').every(({ open }) => open.prefillChunk === 64),
    'its prompt runs in longer steps'
  )
  const others = [ask(), ask(), ask()]
  await until(() => countOf('interactive') === 4)
  t.equal(countOf('batch'), 0, 'the batch has made room')
  released.dispatchEvent(new Event('interactive'))
  for (const answer of await Promise.all([first, ...others])) t.equal(answer.usage.completion_tokens, 3)
  await until(() => countOf('batch') === 3)
  released.dispatchEvent(new Event('batch'))
  const read = async () => (await fetch(`${url}/v1/batches/${batch.id}`)).json()
  while ((await read()).request_counts.completed < 3);
  await until(() => countOf('batch') === 3)

  await fetch(`${url}/v1/batches/${batch.id}/cancel`, { method: 'POST' })
  await (await fetch(`${url}/v1/requests/${batch.id.replace('batch_', 'req_')}/events`)).text()
  t.match(await read(), { status: 'cancelled', request_counts: { total: 3000, completed: 3, failed: 2997 } })
  t.same(
    mesh.nodes.map(node => node.sessionsOpen),
    [0, 0],
    'every slot is free'
  )
})
