import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A request as the stub had it. */
export interface Heard {
  readonly method: string
  readonly path: string
  readonly key: string | undefined
  readonly body: string
}

/** What a server beside a node does. */
export type Answerer = (request: Heard, response: ServerResponse) => void | Promise<void>

export interface Stub {
  readonly base: string
  readonly heard: readonly Heard[]
  /** Ends every connection, and takes none. */
  stop(): Promise<void>
}

/** An HTTP server of this process that answers as a test says. */
export async function startStub(t: Test, answer: Answerer): Promise<Stub> {
  const heard: Heard[] = []
  const server = createServer((request, response) => {
    void bodyOf(request).then(body => {
      const one = { method: request.method ?? '', path: request.url ?? '', key: request.headers.authorization, body }
      heard.push(one)
      return answer(one, response)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const stop = (): Promise<void> =>
    new Promise(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  t.teardown(stop)
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, heard, stop }
}

/** Answers with JSON. */
export function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** Begins an answer by events. */
export function events(response: ServerResponse, ...data: readonly string[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const one of data) response.write(`data: ${one}\n\n`)
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
