import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type LinkShape, startShaper } from '../src/index.ts'

/** A server that sends everything back, behind a shaper. */
async function shapedEcho(t: Test, shape: Partial<LinkShape> = {}) {
  const server = createServer({ allowHalfOpen: true }, socket =>
    socket.on('error', () => socket.destroy()).pipe(socket)
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const shaper = await startShaper({ target: { host: '127.0.0.1', port }, ...shape })
  t.teardown(async () => {
    await shaper[Symbol.asyncDispose]()
    server.close()
  })
  return shaper
}

async function read(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of socket) parts.push(part)
  return Buffer.concat(parts)
}

const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251))

for (const shape of [{}, { delayMs: 5 }, { bytesPerSecond: 20_000_000, delayMs: 1 }]) {
  t.test(`every byte comes back in order: ${JSON.stringify(shape)}`, async t => {
    const shaper = await shapedEcho(t, shape)
    const socket = connect(shaper.address)
    socket.end(sent)
    t.ok((await read(socket)).equals(sent))
  })
}

t.test('a stalled link passes nothing on until it is opened again', async t => {
  const shaper = await shapedEcho(t, { stalled: true })
  const socket = connect(shaper.address)
  socket.end('held')
  const answer = read(socket)
  let arrived = false
  socket.on('data', () => {
    arrived = true
  })
  // a round trip on another connection: what the stalled one had to send would have come by now
  await once(socket, 'connect')
  t.notOk(arrived)
  shaper.set({ stalled: false })
  t.equal(String(await answer), 'held')
})

t.test('connections that are there may stall while new ones do not', async t => {
  const shaper = await shapedEcho(t)
  const socket = connect(shaper.address)
  socket.write('x')
  await once(socket, 'data')
  shaper.stallOpen()
  socket.end('held')
  const next = connect(shaper.address)
  next.end('passes')
  t.equal(String(await read(next)), 'passes')
  shaper.set({ stalled: false })
  t.equal(String(await read(socket)), 'held')
})

t.test('a dropped link resets its connections and takes new ones', async t => {
  const shaper = await shapedEcho(t)
  const socket = connect(shaper.address)
  socket.write('x')
  await once(socket, 'data')
  shaper.drop()
  const [error] = await once(socket, 'error')
  t.equal(error.code, 'ECONNRESET')
  const next = connect(shaper.address)
  next.end('again')
  t.equal(String(await read(next)), 'again')
})

t.test('a link that refuses resets its connections, and takes new ones when it is open again', async t => {
  const shaper = await shapedEcho(t)
  const socket = connect(shaper.address)
  socket.write('x')
  await once(socket, 'data')
  shaper.set({ refusing: true })
  t.match(await once(socket, 'error'), [{ code: 'ECONNRESET' }])
  const refused = connect(shaper.address)
  t.match(await once(refused, 'error'), [{ code: 'ECONNRESET' }])
  shaper.set({ refusing: false })
  const next = connect(shaper.address)
  next.end('again')
  t.equal(String(await read(next)), 'again')
})
