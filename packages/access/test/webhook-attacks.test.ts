import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { systemClock } from '@resultity/interface'
import { DeliveryQueue, openDatabase, openJobStore, WebhookStore } from '@resultity/store'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { DEFAULT_ACCESS_LIMITS } from '../src/access-limits.ts'
import { type PostInit, post, type Resolve, systemResolve } from '../src/webhooks/post.ts'
import { newWebhookSecret } from '../src/webhooks/signature.ts'
import { WebhookDeliveryWorker } from '../src/webhooks/webhook-delivery-worker.ts'

const BASE: PostInit = { private: false, timeoutMs: 600_000, answerBytesMax: 1024, resolve: systemResolve }

const PUBLIC = { address: '1.1.1.1', family: 4 }
const INNER = { address: '127.0.0.1', family: 4 }

/** A receiver on this machine that does with a connection what the test says. */
async function receive(t: Test, serve: (socket: Socket) => void = () => {}) {
  const connections: Socket[] = []
  const server = createServer(socket => {
    connections.push(socket.on('error', () => {}))
    serve(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of connections) socket.destroy()
    server.close()
  })
  return { connections, port: (server.address() as AddressInfo).port }
}

/** What a name server of an attacker says: one thing when it is asked first, another ever after. */
function changing(first: readonly object[], later: readonly object[]) {
  let asked = 0
  const resolve: Resolve = async () => (asked++ === 0 ? first : later) as Awaited<ReturnType<Resolve>>
  return { resolve, asked: () => asked }
}

t.test('a name that is public when it is checked leads nowhere else when it is connected to', async t => {
  const { connections, port } = await receive(t)
  const { resolve, asked } = changing([PUBLIC], [INNER])
  // whether the public address answers here is of no interest: nothing may arrive inside
  await t.rejects(post(`https://rebound.example:${port}/`, '{}', {}, { ...BASE, timeoutMs: 300, resolve }))
  t.equal(asked(), 1, 'nobody asks again between check and connection')
  await t.rejects(post(`https://rebound.example:${port}/`, '{}', {}, { ...BASE, resolve }), { code: 'peer_refused' })
  t.equal(connections.length, 0)
})

t.test('not even an answer that changes while it is read', async t => {
  const { connections, port } = await receive(t)
  let reads = 0
  const shifty = {
    family: 4,
    get address() {
      reads += 1
      return reads === 1 ? PUBLIC.address : INNER.address
    }
  }
  const resolve = async () => [shifty]
  await t.rejects(post(`https://rebound.example:${port}/`, '{}', {}, { ...BASE, timeoutMs: 300, resolve }))
  t.equal(connections.length, 0)
  t.equal(reads, 1)
})

t.test('one inner address among public ones is enough to refuse a name, however it is written', async t => {
  const { connections, port } = await receive(t)
  const inner = [
    ...['127.0.0.1', '10.0.0.1', '169.254.169.254', '0.0.0.0', '100.64.0.1', '192.168.0.1'],
    ...[
      '::1',
      '::',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      'fd00::1'
    ],
    ...['fe80::1%lo', '2130706433', '0x7f.1', '0177.0.0.1', '127.1', '']
  ]
  for (const address of inner) {
    const one = { address, family: address.includes(':') ? 6 : 4 }
    for (const addresses of [[one], [PUBLIC, one], [one, PUBLIC], [PUBLIC, PUBLIC, one, PUBLIC]]) {
      const resolve = async () => addresses
      const sent = post(`https://mixed.example:${port}/`, '{}', {}, { ...BASE, resolve })
      await t.rejects(sent, { code: 'peer_refused' }, `${address} of ${addresses.length}`)
    }
  }
  t.equal(connections.length, 0)
})

t.test('hosts that are addresses in disguise never get as far as a name server', async t => {
  const resolve = async () => {
    t.fail('a name was looked up')
    return [PUBLIC]
  }
  const hosts = ['2130706433', '0x7f000001', '0177.0.0.1', '127.1', '0', '0.0.0.0', '[::]', '[::ffff:127.0.0.1]']
  for (const host of [...hosts, '[64:ff9b::127.0.0.1]', '１２７.0.0.1', '127.0.0.1.', '[::ffff:0:127.0.0.1]']) {
    await t.rejects(post(`https://${host}/`, '{}', {}, { ...BASE, resolve }), { code: 'peer_refused' }, host)
  }
})

t.test('each delivery has a connection of its own, so that none uses what was checked for another', async t => {
  const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n'
  const { connections, port } = await receive(t, socket => socket.on('data', () => socket.write(answer)))
  const init = { ...BASE, private: true, resolve: async () => [INNER] }
  for (const name of ['one.example', 'two.example', 'one.example']) {
    t.equal(await post(`http://${name}:${port}/`, '{}', {}, init), 200)
  }
  t.equal(connections.length, 3)
  // the same addresses, with the rule: what is open already helps nobody
  await t.rejects(post(`https://one.example:${port}/`, '{}', {}, { ...init, private: false }), { code: 'peer_refused' })
  t.equal(connections.length, 3)
})

t.test('an answer that is slow, endless, broken or a detour costs no more than its deadline', async t => {
  const answers: Readonly<Record<string, (socket: Socket) => void>> = {
    'a header a byte at a time': socket => drip(t, socket, () => 'x'),
    'a body a byte at a time': socket => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n')
      drip(t, socket, () => 'x')
    },
    'endless headers': socket => pour(socket, `HTTP/1.1 200 OK\r\n`, `x-${'y'.repeat(100)}: z\r\n`),
    'one giant header': socket => pour(socket, 'HTTP/1.1 200 OK\r\nx: ', 'y'.repeat(1000)),
    'endless news of an answer to come': socket => pour(socket, '', 'HTTP/1.1 102 Processing\r\n\r\n'),
    'another protocol': socket =>
      void socket.write('HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    'no HTTP': socket => void socket.write('SSH-2.0-OpenSSH\r\n'),
    'no answer': () => {}
  }
  for (const [id, serve] of Object.entries(answers)) {
    const { port } = await receive(t, socket => void socket.once('data', () => serve(socket)))
    const init = { ...BASE, private: true, timeoutMs: 300 }
    const sent = post(`http://127.0.0.1:${port}/`, '{}', {}, init)
    await t.rejects(sent, { code: /^(deadline_exceeded|peer_unreachable)$/ }, id)
  }
  const { connections, port } = await receive(t)
  const location = `HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:${port}/inner\r\ncontent-length: 0\r\n\r\n`
  const detour = await receive(t, socket => void socket.once('data', () => socket.write(location)))
  t.equal(await post(`http://127.0.0.1:${detour.port}/`, '{}', {}, { ...BASE, private: true }), 302)
  t.equal(connections.length, 0, 'a redirect is an answer and no way to go')
})

function drip(t: Test, socket: Socket, next: () => string): void {
  const timer = setInterval(() => socket.write(next()), 20)
  t.teardown(() => clearInterval(timer))
}

function pour(socket: Socket, first: string, rest: string): void {
  socket.write(first)
  const more = (): void => {
    while (!socket.destroyed && socket.write(rest)) if (socket.writableLength > 1e6) return
  }
  socket.on('drain', more)
  more()
}

t.test('a webhook whose name turns inside after it was made is told nothing', async t => {
  const { connections, port } = await receive(t)
  await using database = await openDatabase({ dataDir: t.testdir({}) })
  const jobs = await openJobStore(database)
  const webhooks = new WebhookStore(database)
  const queue = new DeliveryQueue(database)
  const url = `https://rebound.example:${port}/`
  const rest = { namespace: 'default', description: '', secret: newWebhookSecret(), createdAtMs: 0 }
  await webhooks.add({ id: 'wh_1', url, events: ['job.cancelled'], ...rest })
  const job = { id: 'req_1', namespace: 'default', keyId: null, class: 'interactive', lane: 'x' } as const
  await jobs.submit({ ...job, endpoint: '/v1/chat/completions', body: {}, waitMs: 60_000, attemptsMax: 1 })
  await jobs.cancel('req_1')
  const { webhookTimeoutMs: timeoutMs, webhookAnswerBytesMax: answerBytesMax } = DEFAULT_ACCESS_LIMITS
  const limits = { ...DEFAULT_ACCESS_LIMITS, webhookPollMs: 10, timeoutMs, answerBytesMax }
  const components = { webhooks, queue, clock: systemClock, logger: pino({ level: 'silent' }) }
  const init = { ...limits, private: false, version: '0', resolve: async () => [PUBLIC, INNER] }
  await using _ = new WebhookDeliveryWorker(components, init)
  for (;;) {
    const { deliveries } = await queue.list({ webhookId: 'wh_1', limit: 1 })
    const [attempt] = deliveries[0]?.log ?? []
    if (attempt === undefined) continue
    t.match(attempt, { status: null, error: /private network/ })
    break
  }
  t.equal(connections.length, 0)
})
