import { type IncomingMessage, request as overHttp } from 'node:http'
import { request as overTls } from 'node:https'
import type { AbortOptions } from '@resultity/interface'

export interface HttpRequest extends AbortOptions {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** An answer whose head has come. */
export interface HttpAnswer {
  readonly status: number
  /** Empty where the server does not say. */
  readonly contentType: string
  /** Leaving it early ends the connection. */
  readonly body: AsyncIterable<Uint8Array>
}

/**
 * Sends a request on a connection of its own: one that is kept may be closed by the server in the moment in which it is
 * used again. Nothing that the server names is followed, and no compression is asked for.
 *
 * It has no time limit, so that the caller's holds: `fetch` gives an answer up whose head has not come after five minutes.
 *
 * @param url of `http:` or `https:`
 * @throws what the connection failed with; what the signal aborted with is the `cause`
 */
export function sendRequest(url: string, { method, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>()
  const send = url.startsWith('https:') ? overTls : overHttp
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const options = {
    method,
    headers: { ...headers, ...length },
    agent: false,
    ...(signal === undefined ? {} : { signal })
  }
  const request = send(url, options, response => resolve(answerOf(response)))
  // also of what breaks later: the body says that as well
  request.on('error', reject)
  // a server may leave without an error, by asking for another protocol
  request.on('close', () => reject(new Error('the connection was closed')))
  request.end(body)
  return promise
}

function answerOf(response: IncomingMessage): HttpAnswer {
  const { statusCode: status = 0, headers } = response
  return { status, contentType: headers['content-type'] ?? '', body: response }
}
