import { randomUUID } from 'node:crypto'
import { MeshError } from '@resultity/interface'
import { type FastifyError, type FastifyInstance, fastify } from 'fastify'
import { collectRoutes } from './api-route.ts'
import { addChatRoute, type ChatRouteComponents } from './chat-route.ts'
import { errorReply, httpError } from './error-reply.ts'
import { addMeshRoutes, type MeshRouteComponents } from './mesh-routes.ts'
import { invalidRequest } from './parse-body.ts'
import { addDocumentRoute, addHealthRoutes, addMetricsRoute } from './service-routes.ts'

export type HttpComponents = ChatRouteComponents & MeshRouteComponents

export interface HttpServerInit {
  /** Of this software, for the OpenAPI document. */
  readonly version: string
}

/** Longest model id in a path, with every character encoded. */
const PARAMETER_CHARACTERS_MAX = 1536

/** The HTTP surface, not yet listening. */
export function createHttpServer(components: HttpComponents, init: HttpServerInit): FastifyInstance {
  const { limits } = components
  const server = fastify({
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestReceiveMs,
    http: { maxHeaderSize: limits.headerBytesMax },
    genReqId: () => `req_${randomUUID().replaceAll('-', '')}`,
    requestIdHeader: false,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: PARAMETER_CHARACTERS_MAX }
  })
  const routes = collectRoutes(server)
  acceptAnyContentType(server)
  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  countRequests(server, components)
  addErrorHandlers(server, components)
  addMeshRoutes(server, components)
  addHealthRoutes(server, components)
  addChatRoute(server, components)
  addMetricsRoute(server, components)
  addDocumentRoute(server, routes, init.version)
  return server
}

/** All bodies are JSON, whatever they are called: `curl -d` names none, and some clients send an empty one. */
function acceptAnyContentType(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error')
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'string' }, parse)
}

/** Hijacked (streamed) answers count themselves: this hook does not run for them. */
function countRequests(server: FastifyInstance, { metrics }: HttpComponents): void {
  server.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown'
    metrics.requests.inc({ route, method: request.method, status: String(reply.statusCode) })
  })
}

function addErrorHandlers(server: FastifyInstance, { logger }: HttpComponents): void {
  server.setErrorHandler(async (error, request, reply) => {
    const known = error instanceof MeshError ? error : fromFastify(error as FastifyError)
    const { status, headers, body } = errorReply(known)
    if (status >= 500) logger.warn({ err: known, requestId: request.id }, 'a request failed')
    return reply.code(status).headers(headers).send(body)
  })
  server.setNotFoundHandler(async (request, reply) => {
    const error = new MeshError('not_found', `there is no ${request.method} ${request.url.slice(0, 256)}`, {
      hint: 'GET /openapi.json lists what there is.'
    })
    const { status, body } = errorReply(httpError(error, 404, 'unknown_url'))
    return reply.code(status).send(body)
  })
}

/** Fastify's own complaints about a request, in our terms. */
function fromFastify(error: FastifyError): MeshError {
  const status = error.statusCode ?? 500
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return httpError(invalidRequest(null, 'the body is too large', 'Send a shorter request.'), 413, 'request_too_large')
  }
  if (error.code === 'FST_ERR_CTP_EMPTY_JSON_BODY') return invalidRequest(null, 'the body is empty', 'Send JSON.')
  if (status === 400) return invalidRequest(null, `the body is not JSON: ${error.message}`, 'Send valid JSON.')
  if (status < 500) return httpError(invalidRequest(null, error.message), status)
  return MeshError.from(error)
}
