import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import t from 'tap'
import { EventStream } from '../src/event-stream.ts'

const LIMITS = { eventStreamPingMs: 60_000, clientStallMs: 60_000 }

/** Serves one request with `serve`, and returns the client's end, which reads nothing until told. */
async function exchange(serve: (response: ServerResponse) => void): Promise<IncomingMessage> {
  const server = createServer((_request, response) => serve(response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const request = get({ host: '127.0.0.1', port: typeof address === 'object' ? address?.port : 0, agent: false })
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve)
    request.on('error', reject)
  })
  server.close()
  return response
}

t.test('headers and a first comment come before the first event', async t => {
  const client = await exchange(async response => {
    const events = new EventStream(response, { ...LIMITS, headers: { 'x-request-id': 'r1' } })
    await events.send({ text: 'line\nbreak' })
    await events.send('[DONE]')
    events.end()
  })
  t.match(client.headers, { 'x-request-id': 'r1', 'content-type': /event-stream/, 'x-accel-buffering': 'no' })
  const pieces = await client.setEncoding('utf8').toArray()
  t.equal(pieces.join(''), ': ping\n\ndata: {"text":"line\\nbreak"}\n\ndata: [DONE]\n\n')
})

t.test('a silent stream is kept alive', async t => {
  const client = await exchange(response => {
    new EventStream(response, { ...LIMITS, eventStreamPingMs: 1, headers: {} })
  })
  client.setEncoding('utf8')
  let text = ''
  for await (const piece of client) {
    text += piece
    if (text.length >= 3 * ': ping\n\n'.length) break
  }
  t.match(text, /^(: ping\n\n){3,}$/)
})

t.test('a client that takes nothing is given up', async t => {
  const outcome = Promise.withResolvers<unknown>()
  const client = await exchange(async response => {
    const events = new EventStream(response, { ...LIMITS, clientStallMs: 1, headers: {} })
    const piece = 'x'.repeat(1024 * 1024)
    try {
      // the sockets' buffers take some of it
      for (;;) await events.send(piece)
    } catch (error) {
      outcome.resolve(error)
      response.destroy()
    }
  })
  t.match(await outcome.promise, { code: 'canceled', message: /took nothing for 1 ms/ })
  client.destroy()
})

t.test('a client that hangs up while it is waited for is noticed', async t => {
  const outcome = Promise.withResolvers<unknown>()
  const full = Promise.withResolvers<void>()
  const client = await exchange(async response => {
    const events = new EventStream(response, { ...LIMITS, headers: {} })
    const piece = 'x'.repeat(1024 * 1024)
    const watched = (async () => {
      for (;;) {
        const sent = events.send(piece)
        if (response.writableNeedDrain) full.resolve()
        await sent
      }
    })()
    watched.catch(outcome.resolve)
  })
  await full.promise
  client.destroy()
  t.match(await outcome.promise, { code: 'canceled', message: /hung up/ })
})
