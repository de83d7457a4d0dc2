import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { type AccessControl, guardOrigins } from '@resultity/access'
import { addMessageRoutes, type MessageRouteComponents } from '@resultity/anthropic'
import {
  answerBadPath,
  answerBrokenRequest,
  answerExpectation,
  ConnectionLimiter,
  collectRoutes,
  errorReply,
  fromFastify,
  inflateBodies,
  newRequestId,
  parseJsonBodies,
  withoutSubcloud
} from '@resultity/api-kit'
import { addConversationRoutes, type ConversationRouteComponents } from '@resultity/conversations'
import { addPictureRoutes, type PictureRouteComponents } from '@resultity/imaging'
import { MeshError } from '@resultity/interface'
import { addOllamaRoutes, type OllamaRouteComponents } from '@resultity/ollama'
import {
  addBatchRoutes,
  addFileRoutes,
  addFormJobRoutes,
  addJobRoute,
  addRequestRoutes,
  addStoredChatRoutes,
  type BatchRouteComponents,
  type FileRouteComponents,
  type HttpEndpoint,
  type RequestRouteComponents
} from '@resultity/openai'
import { addResponseRoutes, type ResponseRouteComponents } from '@resultity/responses'
import { addVoiceRoutes } from '@resultity/speaking'
import { addTokenRoutes } from '@resultity/tokens'
import { recordingForm } from '@resultity/transcription'
import { type FastifyError, type FastifyInstance, fastify } from 'fastify'
import helmet from 'helmet'
import type { ImageParts } from '../image-parts.ts'
import type { CoordinatorLimits } from '../settings.ts'
import { addDocsPage } from './docs-page.ts'
import { guardSubclouds } from './guard-subclouds.ts'
import { addInviteRoutes, type InviteRouteComponents } from './invite-routes.ts'
import { addMeshRoutes, type MeshRouteComponents } from './mesh-routes.ts'
import type { Metrics } from './metrics.ts'
import { addAboutRoute, addDocumentRoute, addHealthRoutes, addMetricsRoute } from './service-routes.ts'
import { addSubcloudRoutes, type SubcloudRouteComponents } from './subcloud-routes.ts'
import { refuseUnknownRoutes } from './unknown-routes.ts'

export interface HttpComponents
  extends RequestRouteComponents,
    ResponseRouteComponents,
    ConversationRouteComponents,
    MessageRouteComponents,
    OllamaRouteComponents,
    MeshRouteComponents,
    SubcloudRouteComponents,
    InviteRouteComponents,
    FileRouteComponents,
    PictureRouteComponents,
    BatchRouteComponents {
  readonly access: AccessControl
  readonly limits: CoordinatorLimits
  readonly metrics: Metrics
  /** What makes jobs. */
  readonly httpEndpoints: readonly HttpEndpoint[]
  /** The same, of what comes with a recording. */
  readonly speechEndpoints: readonly HttpEndpoint[]
  /** The same, of what comes with pictures. */
  readonly withPictures: ImageParts['withPictures']
}

export interface HttpServerInit {
  /** Of this software, for the OpenAPI document. */
  readonly version: string
}

/** Longest model id in a path, with every character encoded. */
const PARAMETER_CHARACTERS_MAX = 1536

/** A client's own name for its request: given back when it is harmless in a header and in a log. */
const CLIENT_REQUEST_ID = /^[\w.:/+=@-]{1,512}$/

/** The HTTP surface, not yet listening. */
export interface HttpServer {
  readonly server: FastifyInstance
  /** Closes idle connections and takes none for a moment: files run out. */
  shed(): void
}

export function createHttpServer(components: HttpComponents, init: HttpServerInit): HttpServer {
  const { limits, logger, scheduler } = components
  let connections: ConnectionLimiter | undefined
  const server = fastify({
    bodyLimit: limits.bodyBytesMax,
    serverFactory: handler => {
      connections = new ConnectionLimiter(handler, limits, logger, scheduler)
      return connections.server
    },
    genReqId: newRequestId,
    requestIdHeader: false,
    forceCloseConnections: true,
    rewriteUrl: ({ url = '/' }) => withoutSubcloud(url),
    routerOptions: {
      maxParamLength: PARAMETER_CHARACTERS_MAX,
      // bases that end with a slash are joined with paths that begin with one
      ignoreDuplicateSlashes: true,
      ignoreTrailingSlash: true
    },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: answerBadPath
  })
  server.server.on('checkExpectation', answerExpectation)
  // the CORS plug-in's preflight takes and gives nothing that is worth describing
  const routes = collectRoutes(server, url => url === '*')
  parseJsonBodies(server)
  nameRequests(server)
  countRequests(server, components)
  addErrorHandler(server, components)
  addSecurityHeaders(server)
  components.access.guardHosts(server)
  guardOrigins(server, components.access.origins)
  components.access.guard(server)
  guardSubclouds(server, components.subclouds)
  refuseUnknownRoutes(server, routes)
  inflateBodies(server, limits.bodyBytesMax)
  addMeshRoutes(server, components)
  addSubcloudRoutes(server, components)
  addInviteRoutes(server, components)
  addAboutRoute(server)
  addHealthRoutes(server, components)
  for (const endpoint of components.httpEndpoints) addJobRoute(server, components, endpoint)
  addFormJobRoutes(server, components, components.speechEndpoints, { ...limits, form: recordingForm })
  for (const { endpoint, form } of components.withPictures) {
    addFormJobRoutes(server, components, [endpoint], { ...limits, form })
  }
  addPictureRoutes(server, components)
  addResponseRoutes(server, components)
  addStoredChatRoutes(server, components)
  addConversationRoutes(server, components)
  addMessageRoutes(server, components)
  addTokenRoutes(server, components)
  addVoiceRoutes(server, components)
  addOllamaRoutes(server, components)
  addRequestRoutes(server, components)
  addFileRoutes(server, components)
  addBatchRoutes(server, components)
  components.access.addRoutes(server)
  addMetricsRoute(server, components)
  addDocumentRoute(server, routes, init.version)
  addDocsPage(server)
  return { server, shed: () => connections?.shed() }
}

function nameRequests(server: FastifyInstance): void {
  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    const theirs = request.headers['x-client-request-id']
    if (typeof theirs === 'string' && CLIENT_REQUEST_ID.test(theirs)) reply.header('x-client-request-id', theirs)
  })
}

function addSecurityHeaders(server: FastifyInstance): void {
  const headers = securityHeaders()
  server.addHook('onRequest', async (_request, reply) => {
    reply.headers(headers)
  })
}

/**
 * Nothing here is a page but the docs, which set a policy of their own. TLS is the business of what stands before.
 * Made once and not for every answer: they depend on nothing.
 */
function securityHeaders(): OutgoingHttpHeaders {
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  const write = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] }
    },
    strictTransportSecurity: false
  })
  write(response.req, response, () => {})
  return response.getHeaders()
}

/** Hijacked (streamed) answers count themselves: this hook does not run for them. */
function countRequests(server: FastifyInstance, { metrics }: HttpComponents): void {
  server.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown'
    metrics.requests.inc({ route, method: request.method, status: String(reply.statusCode) })
  })
}

function addErrorHandler(server: FastifyInstance, { logger }: HttpComponents): void {
  server.setErrorHandler(async (error, request, reply) => {
    const known = error instanceof MeshError ? error : fromFastify(error as FastifyError)
    const answer = errorReply(known)
    const { status, headers } = answer
    const body = request.routeOptions.config.api?.errorFormat?.write(answer, request.id) ?? answer.body
    // a probe asks again and again while nothing is ready: that is no warning
    const level = request.routeOptions.url === '/readyz' ? 'info' : 'warn'
    if (status >= 500) logger[level]({ err: known, requestId: request.id }, 'a request failed')
    return reply.code(status).headers(headers).send(body)
  })
}
