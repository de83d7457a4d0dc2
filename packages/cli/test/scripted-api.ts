import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

export interface Asked {
  readonly path: string
  readonly body: string
}

/** A coordinator's HTTP face that says what the test wants it to say. */
export async function scriptedApi(
  t: Test,
  routes: Readonly<Record<string, (response: ServerResponse, asked: Asked) => void>>
): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = []
  const server = createServer((request: IncomingMessage, response) => {
    void text(request).then(body => {
      const call = { path: request.url ?? '', body }
      asked.push(call)
      const [route = ''] = call.path.split('?')
      const answer = routes[route] ?? (() => response.writeHead(404).end('nothing here'))
      answer(response, call)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, asked }
}

export function json(body: unknown, status = 200): (response: ServerResponse) => void {
  return response => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** An answer as server-sent events, one write each. */
export function events(data: readonly unknown[]): (response: ServerResponse) => void {
  return response => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-resultity-route': 'PeerA[0,2) PeerB[2,4)' })
    response.write(': ping\n\n')
    for (const one of data) response.write(`data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`)
    response.end()
  }
}

export function chunk(delta: object, finishReason: string | null = null): object {
  return {
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason: finishReason, logprobs: null }]
  }
}
