import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { CHAT, QUESTION, readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(2, { contextLength: 256 })
t.teardown(() => mesh[Symbol.asyncDispose]())
const url = mesh.coordinator.httpUrl
const answerIds = mesh.tokenizer.encode('The capital of France is Paris.')
const [endToken = 0] = mesh.tokenizer.endTokenIds

const says =
  (tokens: readonly number[]) =>
  ({ sample }: Ring) =>
    sample([...tokens, endToken], 'end_token')

const ASYNC = { headers: { 'content-type': 'application/json', prefer: 'respond-async' } }

async function getJson(path: string, init: RequestInit = {}) {
  const response = await fetch(`${url}${path}`, init)
  return { status: response.status, headers: response.headers, body: await response.json() }
}

interface LogEntry {
  readonly id: number
  readonly event: string
  readonly data: unknown
}

/** Reads a log to its end. */
async function readLog(path: string, headers: Record<string, string> = {}): Promise<LogEntry[]> {
  const text = await (await fetch(`${url}${path}`, { headers })).text()
  return text
    .split('\n\n')
    .filter(block => block !== '' && !block.startsWith(':'))
    .map(block => {
      const [id = '', event = '', data = ''] = block.split('\n').map(line => line.replace(/^\w+: /, ''))
      return { id: Number(id), event, data: JSON.parse(data) }
    })
}

/** Follows a request's log until it has ended. */
async function untilEnded(id: string): Promise<LogEntry[]> {
  return readLog(`/v1/requests/${id}/events`)
}

t.test('who does not wait is told where to look, and finds the same answer there', async t => {
  mesh.ring.script = says(answerIds)
  const ask = { ...QUESTION, temperature: 0 }
  const accepted = await mesh.post(ask, ASYNC)
  t.equal(accepted.status, 202)
  t.equal(accepted.headers.get('preference-applied'), 'respond-async')
  t.equal(accepted.headers.get('retry-after'), '1')
  const request = await accepted.json()
  t.match(request, {
    object: 'request',
    endpoint: CHAT,
    status: /queued|running/,
    request_id: accepted.headers.get('x-request-id'),
    status_url: accepted.headers.get('location')
  })
  const log = await untilEnded(request.id)
  t.equal(log.at(-1)?.event, 'succeeded')
  t.match(await getJson(request.status_url), {
    status: 200,
    body: { status: 'succeeded', attempts: 1, usage: { completion_tokens: answerIds.length + 1 }, error: null }
  })
  const result = await getJson(request.response_url)
  const waited = await (await mesh.post(ask)).json()
  t.equal(result.status, 200)
  t.match(result.headers.get('x-resultity-route'), /\[0,2\) .*\[2,4\)$/)
  t.same(result.body.choices, waited.choices)
  const byQuery = await fetch(`${url}${CHAT}?async=true`, { method: 'POST', body: JSON.stringify(ask) })
  t.equal(byQuery.status, 202, 'a query says the same')
  await untilEnded((await byQuery.json()).id)
})

t.test('a log can be read again from any entry, as it is and as the endpoint streams it', async t => {
  mesh.ring.script = says(answerIds)
  const { id } = await (await mesh.post({ ...QUESTION, stream: true }, ASYNC)).json()
  const log = await untilEnded(id)
  t.same(
    log.map(entry => entry.id),
    log.map((_, index) => index + 1)
  )
  // how many entries keep its tokens is a matter of time
  const places = [...log.keys(), log.length]
  const rests = await Promise.all(places.map(after => readLog(`/v1/requests/${id}/events?after=${after}`)))
  t.same(
    rests,
    places.map(after => log.slice(after))
  )
  t.same(await readLog(`/v1/requests/${id}/events`, { 'last-event-id': '3' }), log.slice(3), 'as an EventSource asks')
  const text = await (await fetch(`${url}/v1/requests/${id}/events?format=endpoint`)).text()
  const chunks = [...text.matchAll(/^data: (\{.*)$/gm)].map(match => JSON.parse(match[1] ?? ''))
  t.equal(chunks.map(chunk => chunk.choices[0]?.delta.content ?? '').join(''), 'The capital of France is Paris.')
  t.match(text, /data: \[DONE\]\n\n$/)
})

t.test('a request can be cancelled, whoever waits for it', async t => {
  const started = Promise.withResolvers<Ring>()
  mesh.ring.script = async ring => {
    await ring.sample(answerIds.slice(0, 2))
    started.resolve(ring)
  }
  const { id, cancel_url } = await (await mesh.post(QUESTION, ASYNC)).json()
  const ring = await started.promise
  const pending = await getJson(`/v1/requests/${id}/result`)
  t.equal(pending.status, 202, 'no result yet')
  t.equal(pending.headers.get('retry-after'), '1')
  t.equal((await getJson(cancel_url, { method: 'POST' })).status, 200)
  t.equal((await untilEnded(id)).at(-1)?.event, 'cancelled')
  await Promise.all(ring.stages.map(stage => stage.ended))
  t.match(await getJson(`/v1/requests/${id}/result`), { status: 410, body: { error: { code: 'request_cancelled' } } })
  t.match(await getJson(cancel_url, { method: 'POST' }), { body: { status: 'cancelled' } }, 'again changes nothing')
})

t.test('an answer that outlives its client goes on and is found again', async t => {
  const hangUp = new AbortController()
  const started = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  mesh.ring.script = async ({ sample }) => {
    await sample(answerIds.slice(0, 2))
    started.resolve()
    await goOn.promise
    await sample([...answerIds.slice(2), endToken], 'end_token')
  }
  const body = { ...QUESTION, stream: true, mesh: { on_disconnect: 'continue' } }
  const response = await mesh.post(body, { signal: hangUp.signal })
  const id = response.headers.get('x-request-id') ?? ''
  await started.promise
  hangUp.abort()
  await t.rejects(response.text())
  goOn.resolve()
  t.equal((await untilEnded(id)).at(-1)?.event, 'succeeded')
  const { body: answer } = await getJson(`/v1/requests/${id}/result`)
  t.equal(answer.choices[0].message.content, 'The capital of France is Paris.')
})

t.test('an Idempotency-Key makes one request of two', async t => {
  let runs = 0
  mesh.ring.script = ring => {
    runs++
    return says(answerIds)(ring)
  }
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'once' }
  const first = await mesh.post(QUESTION, { headers })
  const second = await mesh.post(QUESTION, { headers })
  t.same(await second.json(), await first.json())
  t.equal(second.headers.get('idempotency-replayed'), 'true')
  t.equal(second.headers.get('x-resultity-request-id'), first.headers.get('x-request-id'))
  t.equal(runs, 1)
  const other = await mesh.post({ ...QUESTION, max_tokens: 3 }, { headers })
  t.equal(other.status, 422)
  t.match(await other.json(), { error: { code: 'idempotency_conflict' } })
  const long = await mesh.post(QUESTION, { headers: { ...headers, 'idempotency-key': 'x'.repeat(256) } })
  t.match(await long.json(), { error: { code: 'invalid_request', param: 'idempotency-key' } })
})

t.test('several choices are made beside each other, each with a seed of its own', async t => {
  const seeds = new Set<bigint>()
  mesh.ring.script = ring => {
    seeds.add(ring.open.sampling.seed)
    return says(answerIds)(ring)
  }
  const whole = await (await mesh.post({ ...QUESTION, n: 6, seed: 1 })).json()
  t.same(
    whole.choices.map((choice: { index: number }) => choice.index),
    [0, 1, 2, 3, 4, 5]
  )
  t.same(
    [...seeds].toSorted((a, b) => Number(a - b)),
    [1n, 2n, 3n, 4n, 5n, 6n]
  )
  t.equal(whole.usage.completion_tokens, 6 * (answerIds.length + 1))
  const chunks = (await readEvents(await mesh.post({ ...QUESTION, n: 2, stream: true })))
    .slice(0, -1)
    .map(event => JSON.parse(event).choices[0])
  for (const index of [0, 1]) {
    const own = chunks.filter(choice => choice.index === index)
    t.equal(own[0].delta.role, 'assistant')
    t.equal(own.map(choice => choice.delta.content ?? '').join(''), 'The capital of France is Paris.')
    t.equal(own.at(-1).finish_reason, 'stop')
  }
})

t.test('requests are listed, paged and removed', async t => {
  mesh.ring.script = says(answerIds)
  for (let count = 0; count < 3; count++) await (await mesh.post(QUESTION)).json()
  const all = (await getJson('/v1/requests?limit=100')).body
  t.ok(all.data.length >= 3)
  t.equal(all.has_more, false)
  const paged: string[] = []
  for (let after = ''; ; ) {
    const page = (await getJson(`/v1/requests?limit=2${after === '' ? '' : `&after=${after}`}`)).body
    paged.push(...page.data.map((one: { id: string }) => one.id))
    if (!page.has_more) break
    after = page.last_id
  }
  t.same(
    paged,
    all.data.map((one: { id: string }) => one.id),
    'pages have all of them once'
  )
  const cancelled = (await getJson('/v1/requests?status=cancelled')).body
  t.ok(cancelled.data.every((one: { status: string }) => one.status === 'cancelled'))
  const [id] = paged
  t.match(await getJson(`/v1/requests/${id}`, { method: 'DELETE' }), { status: 200, body: { deleted: true } })
  t.match(await getJson(`/v1/requests/${id}`), { status: 404, body: { error: { code: 'not_found', param: 'id' } } })
})

t.test('what is wrong is said', async t => {
  const cases: { path: string; method?: string; headers?: Record<string, string>; status: number; param: string }[] = [
    { path: '/v1/requests/req_none', status: 404, param: 'id' },
    { path: '/v1/requests/..%2F..%2Fetc', status: 404, param: 'id' },
    { path: '/v1/requests/req_none/events', status: 404, param: 'id' },
    { path: '/v1/requests/req_none/cancel', method: 'POST', status: 404, param: 'id' },
    { path: '/v1/requests?after=garbage', status: 400, param: 'after' },
    { path: '/v1/requests?limit=0', status: 400, param: 'limit' },
    { path: '/v1/requests?limit=x', status: 400, param: 'limit' },
    { path: '/v1/requests?status=done', status: 400, param: 'status' }
  ]
  for (const { path, method = 'GET', status, param } of cases) {
    t.match(await getJson(path, { method }), { status, body: { error: { param } } }, path)
  }
  const { id } = await (await mesh.post(QUESTION, ASYNC)).json()
  await untilEnded(id)
  for (const { query, param } of [
    { query: '?after=-1', param: 'after' },
    { query: '?after=x', param: 'after' },
    { query: '?format=xml', param: 'format' }
  ]) {
    t.match(await getJson(`/v1/requests/${id}/events${query}`), { status: 400, body: { error: { param } } }, query)
  }
  const header = await getJson(`/v1/requests/${id}/events`, { headers: { 'last-event-id': 'x' } })
  t.match(header, { status: 400, body: { error: { param: 'last-event-id' } } })
  const asked = await fetch(`${url}${CHAT}?async=maybe`, { method: 'POST', body: JSON.stringify(QUESTION) })
  t.match(await asked.json(), { error: { param: 'async' } })
})
