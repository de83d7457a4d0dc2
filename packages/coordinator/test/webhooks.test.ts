import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import t, { type Test } from 'tap'
import { createKey, type Started, start } from './support/access-control.ts'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(1, { contextLength: 256, webhookPrivate: true })
t.teardown(() => mesh[Symbol.asyncDispose]())
const base = mesh.coordinator.httpUrl

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A receiver that answers what the test says, the last of it for ever. */
async function receive(t: Test, statuses: readonly number[] = [200]) {
  const waiting: ((received: Received) => void)[] = []
  const arrived: Received[] = []
  const left = [...statuses]
  const server = createServer((request, response) => {
    void text(request).then(body => {
      const [status = 200] = left.length > 1 ? left.splice(0, 1) : left
      response.writeHead(status).end('thanks')
      const received = { headers: request.headers, body }
      const waiter = waiting.shift()
      if (waiter === undefined) arrived.push(received)
      else waiter(received)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const next = (): Promise<Received> => {
    const received = arrived.shift()
    if (received !== undefined) return Promise.resolve(received)
    const { promise, resolve } = Promise.withResolvers<Received>()
    waiting.push(resolve)
    return promise
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=hunter2`, next }
}

/** A webhook for as long as the test. */
async function hook(t: Test, url: string): Promise<{ readonly id: string; readonly secret: string }> {
  const created = await fetch(`${base}/v1/webhooks`, { method: 'POST', body: JSON.stringify({ url }) })
  const { id, secret } = await created.json()
  t.teardown(() => fetch(`${base}/v1/webhooks/${id}`, { method: 'DELETE' }))
  return { id, secret }
}

async function create({ ask }: Started, key: string, input: object) {
  const { status, body } = await ask('POST', '/v1/webhooks', { key, body: input })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return body as unknown as { readonly id: string; readonly secret: string }
}

/** Asks until the answer satisfies: deliveries are reported a moment after they arrive. */
async function until<T>(ask: () => Promise<T>, satisfied: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await ask()
    if (satisfied(value)) return value
  }
}

t.test('the end of a request reaches its namespace’s webhook, signed so that anybody’s library checks it', async t => {
  const { url, next } = await receive(t)
  const { id, secret } = await hook(t, url)
  t.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  const answer = await mesh.post({ ...QUESTION, max_tokens: 2 })
  t.equal(answer.status, 200)
  const { headers, body } = await next()
  const event = JSON.parse(body)
  t.match(event, {
    id: headers['webhook-id'],
    object: 'event',
    created_at: Number,
    type: 'job.succeeded',
    data: { id: answer.headers.get('x-request-id'), object: 'request', state: 'succeeded', endpoint: CHAT }
  })
  t.equal(headers['content-type'], 'application/json')
  const signed = {
    'webhook-id': String(headers['webhook-id']),
    'webhook-timestamp': String(headers['webhook-timestamp']),
    'webhook-signature': String(headers['webhook-signature'])
  }
  t.strictSame(new Webhook(secret).verify(body, signed), event)
  // and by hand, as the specification says it
  const content = `${signed['webhook-id']}.${signed['webhook-timestamp']}.${body}`
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  t.equal(signed['webhook-signature'], `v1,${createHmac('sha256', key).update(content).digest('base64')}`)
  t.throws(() => new Webhook(secret).verify(body.replace('succeeded', 'failed'), signed))

  const deliveries = async () => (await fetch(`${base}/v1/webhooks/${id}/deliveries`)).json()
  const { data } = await until(deliveries, list => list.data[0]?.status === 'delivered')
  t.match(data, [{ id: event.id, type: 'job.succeeded', attempts: [{ status: 200, error: null }] }])
  const again = await fetch(`${base}/v1/webhooks/${id}/deliveries/${event.id}/redeliver`, { method: 'POST' })
  t.equal(again.status, 200)
  const second = await next()
  t.equal(second.headers['webhook-id'], event.id, 'under the same name, so that the receiver can tell')
  t.equal(second.body, body)
})

t.test('a delivery that fails is logged with its reason, and tried again later', async t => {
  const { url, next } = await receive(t, [500])
  const { id } = await hook(t, url)
  await mesh.post({ ...QUESTION, max_tokens: 2 })
  await next()
  const deliveries = async () => (await fetch(`${base}/v1/webhooks/${id}/deliveries`)).json()
  const { data } = await until(deliveries, list => list.data[0]?.attempts.length === 1)
  t.match(data, [{ status: 'pending', attempts: [{ status: 500, error: /answered 500/ }], next_attempt_at: Number }])
  const shown = async () => (await fetch(`${base}/v1/webhooks/${id}`)).json()
  t.match(await until(shown, webhook => webhook.failing_since !== null), { status: 'enabled' })
})

t.test('a receiver that says it is gone is told nothing more', async t => {
  const { url, next } = await receive(t, [410, 200])
  const { id } = await hook(t, url)
  await mesh.post({ ...QUESTION, max_tokens: 2 })
  const { headers } = await next()
  const shown = async () => (await fetch(`${base}/v1/webhooks/${id}`)).json()
  t.match(await until(shown, webhook => webhook.status === 'disabled'), { disabled_reason: /410/ })
  const redeliver = () =>
    fetch(`${base}/v1/webhooks/${id}/deliveries/${headers['webhook-id']}/redeliver`, { method: 'POST' })
  t.equal((await redeliver()).status, 400)
  t.match(await (await fetch(`${base}/v1/webhooks/${id}/enable`, { method: 'POST' })).json(), { status: 'enabled' })
  t.equal((await redeliver()).status, 200)
  t.equal((await next()).headers['webhook-id'], headers['webhook-id'])
})

t.test('webhooks belong to their namespace, and their secrets to nobody’s list or log', async t => {
  const started = await start(t, { webhookPrivate: true })
  const { ask, log } = started
  const admin = await createKey(started, undefined, { scopes: ['admin'] })
  const scoped = { scopes: ['inference', 'webhooks'] }
  const mine = await createKey(started, admin.key, { ...scoped, namespace: 'mine' })
  const theirs = await createKey(started, admin.key, { ...scoped, namespace: 'theirs' })
  const plain = await createKey(started, admin.key, { namespace: 'mine' })
  const url = 'http://127.0.0.1:9/hook?token=hunter2'
  const { id, secret } = await create(started, mine.key, { url, events: ['job.failed'], description: 'pager' })
  const listed = await ask('GET', '/v1/webhooks', { key: mine.key })
  t.match(listed.body, { data: [{ id, url, events: ['job.failed'], description: 'pager', status: 'enabled' }] })
  t.notMatch(listed.text, /whsec_|secret/)
  t.notMatch((await ask('GET', `/v1/webhooks/${id}`, { key: mine.key })).text, /whsec_|secret/)
  t.match((await ask('GET', '/v1/webhooks', { key: theirs.key })).body, { data: { length: 0 } })
  t.equal((await ask('GET', '/v1/webhooks', { key: plain.key })).status, 403)
  for (const [method, path] of [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/enable'],
    ['GET', '/deliveries'],
    ['POST', '/deliveries/evt_1/redeliver']
  ] as const) {
    t.match(await ask(method, `/v1/webhooks/${id}${path}`, { key: theirs.key }), {
      status: 404,
      body: { error: { code: 'not_found' } }
    })
  }
  t.match(await ask('GET', '/v1/webhooks?namespace=mine', { key: theirs.key }), { status: 403 })
  t.match(await ask('POST', '/v1/webhooks', { key: theirs.key, body: { url, namespace: 'mine' } }), { status: 403 })
  t.match((await ask('GET', '/v1/webhooks?namespace=mine', { key: admin.key })).body, { data: [{ id }] })
  t.match(await ask('GET', `/v1/webhooks/${id}/deliveries?after=evt_1`, { key: mine.key }), { status: 404 })
  t.match((await ask('DELETE', `/v1/webhooks/${id}`, { key: mine.key })).body, { deleted: true })
  t.equal((await ask('GET', `/v1/webhooks/${id}`, { key: mine.key })).status, 404)
  for (const hidden of [secret, secret.slice(6, 20), 'hunter2']) t.notMatch(log(), hidden)
})

t.test('what cannot be a webhook is refused with the field', async t => {
  const { ask } = await start(t)
  const cases: readonly (readonly [string, object])[] = [
    ['url', {}],
    ['url', { url: 5 }],
    ['url', { url: 'http://example.com/' }],
    ['url', { url: 'https://127.0.0.1/' }],
    ['url', { url: 'https://169.254.169.254/' }],
    ['url', { url: 'https://user:pw@example.com/' }],
    ['url', { url: `https://example.com/${'x'.repeat(3000)}` }],
    ['events', { url: 'https://example.com/', events: [] }],
    ['events[0]', { url: 'https://example.com/', events: ['job.exploded'] }],
    ['description', { url: 'https://example.com/', description: 'a\nb' }],
    ['namespace', { url: 'https://example.com/', namespace: '../x' }]
  ]
  for (const [param, body] of cases) {
    t.match(
      await ask('POST', '/v1/webhooks', { body }),
      { status: 400, body: { error: { param } } },
      JSON.stringify(body)
    )
  }
  for (let i = 0; i < 16; i++) {
    t.equal((await ask('POST', '/v1/webhooks', { body: { url: `https://example.com/${i}` } })).status, 200)
  }
  t.match(await ask('POST', '/v1/webhooks', { body: { url: 'https://example.com/17' } }), {
    status: 400,
    body: { error: { message: /16 is the most/ } }
  })
})
