import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '@resultity/interface'
import { type Delivery, DeliveryQueue, openDatabase, openJobStore, WebhookStore } from '@resultity/store'
import { pino } from 'pino'
import t from 'tap'
import { DEFAULT_ACCESS_LIMITS } from '../src/access-limits.ts'
import { DELIVERY_ATTEMPTS_MAX, outcomeOf } from '../src/webhooks/delivery-plan.ts'
import { systemResolve } from '../src/webhooks/post.ts'
import { newWebhookSecret, signedHeaders } from '../src/webhooks/signature.ts'
import { WebhookDeliveryWorker } from '../src/webhooks/webhook-delivery-worker.ts'

t.test('a receiver that falls too far behind is given up', async t => {
  const server = createServer((_, response) => response.writeHead(500).end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  await using database = await openDatabase({ dataDir: t.testdir() })
  const jobs = await openJobStore(database)
  const webhooks = new WebhookStore(database)
  const queue = new DeliveryQueue(database)
  const secret = newWebhookSecret()
  const events = ['job.cancelled']
  await webhooks.add({ id: 'wh_1', namespace: 'default', url, events, description: '', secret, createdAtMs: 0 })
  for (const id of ['req_1', 'req_2', 'req_3']) {
    const job = {
      id,
      endpoint: '/v1/chat/completions',
      namespace: 'default',
      keyId: null,
      class: 'interactive',
      lane: 'x'
    } as const
    await jobs.submit({ ...job, body: {}, waitMs: 60_000, attemptsMax: 1 })
    await jobs.cancel(id)
  }
  const limits = { ...DEFAULT_ACCESS_LIMITS, deliveriesMax: 1, deliveriesWaitingMax: 2, webhookPollMs: 10 }
  const policy = { private: true, timeoutMs: 600_000, answerBytesMax: 1000, resolve: systemResolve }
  const logger = pino({ level: 'silent' })
  const components = { webhooks, queue, clock: systemClock, logger }
  await using _ = new WebhookDeliveryWorker(components, { ...limits, ...policy, version: '0' })
  let hook = await webhooks.find('wh_1')
  while (hook?.disabledAtMs === null) hook = await webhooks.find('wh_1')
  t.match(hook, { disabledReason: /more than 2 events wait/ })
  const { deliveries } = await queue.list({ webhookId: 'wh_1', limit: 10 })
  t.strictSame(
    deliveries.map(({ state }) => state),
    ['failed', 'failed', 'failed']
  )
})

t.test('signatures are those of the specification’s own example', async t => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const headers = signedHeaders('msg_p5jXN8AQM9LWM0D4loKWxJek', '{"test": 2432232314}', secret, 1_614_265_330_999)
  t.strictSame(headers, {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
  })
})

t.test('pauses between attempts grow, and end', async t => {
  const delivery = (attempts: number) => ({ attempts }) as Delivery
  const attempt = (status: number | null) => ({ atMs: 1000, durationMs: 10, status, error: null })
  for (const status of [200, 204, 299]) {
    t.strictSame(outcomeOf(delivery(1), attempt(status), 0), { state: 'delivered' })
  }
  t.strictSame(outcomeOf(delivery(1), attempt(410), 0), { state: 'failed' })
  const pauses = Array.from({ length: DELIVERY_ATTEMPTS_MAX - 1 }, (_, index) => {
    const outcome = outcomeOf(delivery(index + 1), attempt(index % 2 === 0 ? null : 302), 0)
    return outcome.state === 'pending' ? outcome.dueAtMs - 1010 : Number.NaN
  })
  t.equal(pauses[0], 5000)
  t.ok(pauses.every((pause, index) => index === 0 || pause > (pauses[index - 1] ?? 0)))
  t.strictSame(outcomeOf(delivery(DELIVERY_ATTEMPTS_MAX), attempt(500), 0), { state: 'failed' })
  const spread = outcomeOf(delivery(1), attempt(500), 1)
  t.match(spread, { state: 'pending', dueAtMs: 1010 + 6000 })
})
