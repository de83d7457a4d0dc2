import t from 'tap'
import { CHAT, QUESTION, readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(1, { contextLength: 256, limits: { lossNoticeMs: 1 } })
t.teardown(() => mesh[Symbol.asyncDispose]())
const url = mesh.coordinator.httpUrl

interface Options {
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

async function ask(key: string, method: string, path: string, { body, headers = {} }: Options = {}) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

async function createKey(admin: string, input: object): Promise<string> {
  const { status, body } = await ask(admin, 'POST', '/v1/admin/keys', { body: input })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return body.key
}

const admin = await createKey('none', { scopes: ['admin'] })
const ASYNC = { prefer: 'respond-async' }
const question = { ...QUESTION, max_tokens: 5 }

/** Resolves when the job has ended. */
async function untilEnded(key: string, id: string): Promise<void> {
  await (await fetch(`${url}/v1/requests/${id}/events`, { headers: { authorization: `Bearer ${key}` } })).text()
}

t.test('what a request takes is reserved, settled when it ends, and in the usage of its key', async t => {
  mesh.ring.script = ({ sample }) => sample([5, 7, 8, 9, 10], 'tokens_max')
  const key = await createKey(admin, { namespace: 'limited', limits: { tokens_per_minute: 10_000 } })
  const { status, headers, body } = await ask(key, 'POST', CHAT, { body: question })
  t.equal(status, 200)
  const { prompt_tokens: prompt, completion_tokens: completion } = body.usage
  t.equal(headers.get('x-ratelimit-remaining-tokens'), String(10_000 - prompt - 5))
  const after = await ask(key, 'GET', '/v1/usage?group_by=model,key')
  t.match(after.body.data, [
    { model: 'tiny-chat', requests: 1, prompt_tokens: prompt, completion_tokens: completion, key_id: String }
  ])
  t.equal(after.headers.get('x-ratelimit-remaining-tokens'), String(10_000 - prompt - completion))

  const streamed = await fetch(`${url}${CHAT}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ ...question, stream: true })
  })
  t.match(streamed.headers.get('x-ratelimit-limit-tokens'), '10000', 'a stream says it too')
  t.equal((await readEvents(streamed)).at(-1), '[DONE]')
})

t.test('a request that fails or is refused takes nothing', async t => {
  const key = await createKey(admin, { namespace: 'failing', limits: { tokens_per_minute: 10_000 } })
  mesh.ring.script = ({ stages }) => stages.at(-1)?.cut()
  const failed = await ask(key, 'POST', CHAT, { body: question })
  t.ok(failed.status >= 500)
  t.match(await ask(key, 'POST', CHAT, { body: { ...question, max_tokens: -1 } }), { status: 400 })
  const { body, headers } = await ask(key, 'GET', '/v1/usage')
  t.match(body.data, [{ requests: 1, failures: 1, total_tokens: 0 }])
  t.equal(headers.get('x-ratelimit-remaining-tokens'), '10000')
})

t.test('a key has as many requests at once as it may, and another key is not held up', async t => {
  const held = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  mesh.ring.script = async ({ sample }) => {
    begun.resolve()
    await held.promise
    await sample([5], 'tokens_max')
  }
  const key = await createKey(admin, { limits: { concurrent_jobs: 1 } })
  const other = await createKey(admin, {})
  const headers = { ...ASYNC, 'idempotency-key': 'once' }
  const first = await ask(key, 'POST', CHAT, { body: { ...question, max_tokens: 1 }, headers })
  t.equal(first.status, 202)
  await begun.promise
  t.match(await ask(key, 'POST', CHAT, { body: question, headers: ASYNC }), {
    status: 429,
    body: { error: { code: 'rate_limited', message: /1 requests queued or running/ } }
  })
  const unhindered = await ask(other, 'POST', CHAT, { body: { ...question, max_tokens: 1 }, headers: ASYNC })
  t.equal(unhindered.status, 202)
  held.resolve()
  await untilEnded(key, first.body.request_id)
  await untilEnded(other, unhindered.body.request_id)
  t.equal((await ask(key, 'POST', CHAT, { body: { ...question, max_tokens: 1 } })).status, 200)
})

t.test('a repeated idempotency key takes no tokens twice', async t => {
  mesh.ring.script = ({ sample }) => sample([5, 7, 8, 9, 10], 'tokens_max')
  const key = await createKey(admin, { namespace: 'again', limits: { tokens_per_minute: 10_000 } })
  const headers = { 'idempotency-key': 'the same' }
  await ask(key, 'POST', CHAT, { body: question, headers })
  const left = async () => (await ask(key, 'GET', '/v1/models')).headers.get('x-ratelimit-remaining-tokens')
  const before = await left()
  t.match(await ask(key, 'POST', CHAT, { body: question, headers }), { status: 200 })
  t.equal(await left(), before)
  t.match((await ask(key, 'GET', '/v1/usage')).body.data, [{ requests: 1 }])
})

t.test('somebody else’s request does not exist', async t => {
  mesh.ring.script = ({ sample }) => sample([5, 7, 8, 9, 10], 'tokens_max')
  const [mine, theirs] = [
    await createKey(admin, { namespace: 'mine' }),
    await createKey(admin, { namespace: 'theirs' })
  ]
  const { body } = await ask(mine, 'POST', CHAT, { body: question, headers: ASYNC })
  await untilEnded(mine, body.request_id)
  t.equal((await ask(mine, 'GET', `/v1/requests/${body.request_id}`)).status, 200)
  const nobody = await ask(theirs, 'GET', `/v1/requests/req_${'0'.repeat(32)}`)
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/result'],
    ['GET', '/events'],
    ['POST', '/cancel'],
    ['DELETE', '']
  ] as const) {
    const answer = await ask(theirs, method, `/v1/requests/${body.request_id}${path}`)
    t.equal(answer.status, 404, `${method} ${path}`)
    t.equal(answer.body.error.code, nobody.body.error.code)
  }
  t.strictSame((await ask(theirs, 'GET', '/v1/requests')).body.data, [])
  const cursor = await ask(theirs, 'GET', `/v1/requests?after=${body.request_id}`)
  t.not(cursor.status, 200)
  t.equal((await ask(mine, 'GET', `/v1/requests/${body.request_id}`)).status, 200, 'it is still there')
})
