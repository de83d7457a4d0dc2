import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { connectionsWithin, senderOf } from '@resultity/api-kit'
import t, { type Test } from 'tap'
import type { CoordinatorLimits } from '../src/settings.ts'
import { start } from './support/access-control.ts'

const GET = 'GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n'

async function serve(t: Test, limits: Partial<CoordinatorLimits>, host = '127.0.0.1') {
  const { url, log } = await start(t, { limits, host, open: host !== '127.0.0.1' })
  const { port } = new URL(url)
  const open = (address = '127.0.0.1'): Socket => {
    const socket = connect({ port: Number(port), host: address })
    t.teardown(() => void socket.destroy())
    return socket.setEncoding('latin1').on('error', () => {})
  }
  return { url, open, log }
}

/** All that comes until the server closes. */
async function untilClosed(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', piece => {
    text += piece
  })
  const { promise, resolve } = Promise.withResolvers<string>()
  socket.once('close', () => resolve(text))
  return promise
}

t.test('what is sent a byte now and then is given up', async t => {
  const { open } = await serve(t, { headersReceiveMs: 50, requestReceiveMs: 100 })
  const silent = open()
  const slow = open()
  slow.write('GET /v1/models HTTP/1.1\r\nhost: localhost\r\n')
  const drip = setInterval(() => slow.write('x: y\r\n'), 20)
  t.teardown(() => clearInterval(drip))
  const body = open()
  body.write('POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{')
  const [nothing, dripped, begun] = await Promise.all([silent, slow, body].map(untilClosed))
  t.match(nothing, /^HTTP\/1\.1 408 request_timeout/)
  t.match(begun, /^HTTP\/1\.1 408 request_timeout/)
  // one that still writes may have its connection reset before it has read the answer
  t.match(dripped, /^(HTTP\/1\.1 408 request_timeout|$)/)
})

t.test('an idle connection ends, and one that has asked enough', async t => {
  const { open } = await serve(t, { keepAliveMs: 50, requestsPerConnectionMax: 2 })
  const idle = open()
  idle.write(GET)
  t.match(await untilClosed(idle), /^HTTP\/1\.1 200 /)
  const busy = open()
  busy.write(GET)
  await once(busy, 'data')
  busy.write(GET)
  t.match(await untilClosed(busy), /connection: close/i)
})

t.test('a client that takes nothing of its answer is given up', async t => {
  const { url, open, log } = await serve(t, { clientStallMs: 200 })
  const stalled = open().pause()
  // the documentation's script is more than the buffers of both ends take
  stalled.write('GET /docs/scalar.js HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(4))
  // so short a time may end other connections too, on a busy machine
  while (!log().includes('a client took nothing of its answer')) await fetch(`${url}/healthz`).catch(() => {})
  const cut = untilClosed(stalled)
  stalled.resume()
  t.ok((await cut).length < 4 * 3_000_000, 'and the rest never comes')
})

t.test('requests that are sent ahead of their answers have a bound', async t => {
  const { open, log } = await serve(t, { pipelinedMax: 4 })
  const honest = open()
  honest.write(GET.repeat(3))
  let answers = ''
  for await (const piece of honest) {
    answers += piece
    if (answers.split('HTTP/1.1 200 ').length === 4) break
  }
  t.pass('three at once are answered')
  const flood = open()
  flood.write(GET.repeat(1000))
  const got = (await untilClosed(flood)).split('HTTP/1.1 200 ').length - 1
  t.ok(got <= 4, `${got} answers`)
  t.match(log(), /"reason":"one connection sent too much at once".*connections were refused/)
})

t.test('headers have a bound in number and size', async t => {
  const { open } = await serve(t, { headersMax: 20, headerBytesMax: 4096 })
  const big = open()
  big.write(`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(8192)}\r\n\r\n`)
  t.match(await untilClosed(big), /^HTTP\/1\.1 431 headers_too_large/)
  const endless = open()
  endless.write('GET / HTTP/1.1\r\n')
  endless.write('a: b\r\n'.repeat(10_000))
  t.match(await untilClosed(endless), /^HTTP\/1\.1 431 headers_too_large/)
})

t.test('connections have a bound, and room again when some end', async t => {
  const { url, open, log } = await serve(t, { connectionsMax: 3 })
  const kept = [open(), open(), open()]
  for (const socket of kept) {
    socket.write(GET)
    await once(socket, 'data')
  }
  t.equal(await untilClosed(open()), '', 'one more is closed at once')
  t.match(log(), /"code":"resource_exhausted","reason":"all connections are taken".*"connectionsMax":3/)
  for (const socket of kept) socket.destroy()
  await Promise.all(kept.map(socket => once(socket, 'close')))
  // the server hears of their end in its own time
  for (;;) {
    const answer = await fetch(`${url}/healthz`).catch(() => undefined)
    if (answer?.status === 200) break
  }
})

const outer = Object.values(networkInterfaces())
  .flatMap(list => list ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address

t.test('one address cannot take them all', { skip: outer === undefined && 'only loopback here' }, async t => {
  const { open, log } = await serve(t, { connectionsPerAddressMax: 2 }, '0.0.0.0')
  const kept = [open(outer), open(outer)]
  const ask = GET.replace('localhost', String(outer))
  for (const socket of kept) {
    socket.write(ask)
    t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200/)
  }
  t.equal(await untilClosed(open(outer)), '')
  t.match(log(), /one address has too many/)
  for (const socket of [open(), open(), open()]) {
    socket.write(GET)
    t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200/, 'programs of this machine are not counted')
  }
})

t.test('a sender is an address, or a whole network of IPv6', async t => {
  t.equal(senderOf('192.0.2.7'), '192.0.2.7')
  t.equal(senderOf('::ffff:192.0.2.7'), '192.0.2.7')
  t.equal(senderOf('2001:db8:1:2:3:4:5:6'), senderOf('2001:db8:1:2:ffff::1'))
  t.not(senderOf('2001:db8:1:2::1'), senderOf('2001:db8:1:3::1'))
  for (const own of ['127.0.0.1', '127.3.2.1', '::1', '::ffff:127.0.0.1']) t.equal(senderOf(own), undefined, own)
  t.equal(senderOf(undefined), '', 'who cannot be told is counted together')
})

t.test('as many connections as files allow, and some at least', async t => {
  const cases = [
    [undefined, 10_000],
    [1_000_000, 10_000],
    [1024, 488],
    [64, 8],
    [10, 8]
  ] as const
  for (const [files, connections] of cases) t.equal(connectionsWithin(10_000, files), connections, String(files))
})
