import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { invalidRequest, MeshError } from '@resultity/interface'
import type { ConnectionError, FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { bodyTooLarge, errorReply, HttpError } from './error-reply.ts'

/** Names a request in answers and logs. Clients do not choose it. */
export function newRequestId(): string {
  return `req_${randomUUID().replaceAll('-', '')}`
}

/** Answers what is not an HTTP request at all, on the bare socket: no request exists yet. */
export function answerBrokenRequest(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const { status, body } = errorReply(fromParser(error))
  const text = JSON.stringify(body)
  const lines = [
    `HTTP/1.1 ${status} ${body.error.code}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    `x-request-id: ${newRequestId()}`,
    'connection: close'
  ]
  // what the client still sends has no meaning any more
  socket.end(`${lines.join('\r\n')}\r\n\r\n${text}`, () => socket.destroy())
}

/** Answers a request that expects what no server here can do; "100-continue" is seen to before. */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const error = new MeshError('invalid_request', 'this server can meet no expectation but "100-continue"', {
    details: { param: 'expect', reason: 'expectation_failed' }
  })
  const { status, body } = errorReply(error)
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'x-request-id': newRequestId()
  })
  response.end(text)
}

/** Answers a path that the router cannot read, for which no hook runs. */
export function answerBadPath(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const { status, headers, body } = errorReply(fromFastify(error))
  reply.code(status).headers(headers).header('x-request-id', request.id).send(body)
}

function fromParser({ code }: ConnectionError): MeshError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return refusal('headers_too_large', 'the headers are too large')
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return refusal('request_timeout', 'the request took too long to arrive')
  }
  return invalidRequest(null, `this is not an HTTP request: ${code}`)
}

/** Fastify's own complaints about a request, in our terms. */
export function fromFastify(error: FastifyError): MeshError {
  const status = error.statusCode ?? 500
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return bodyTooLarge()
  if (error.code === 'FST_ERR_BAD_URL') return invalidRequest(null, 'the path is not valid percent-encoding')
  if (status === 400) return invalidRequest(null, `the body is not JSON: ${error.message}`, 'Send valid JSON.')
  if (status < 500) return new HttpError(invalidRequest(null, error.message), status)
  return MeshError.from(error)
}

function refusal(reason: string, message: string, hint?: string): MeshError {
  return new MeshError('invalid_request', message, { hint, details: { reason } })
}
