import { type ApiRoute, type ApiRoutes, addRoute, openApiDocument } from '@resultity/api-kit'
import { MeshError } from '@resultity/interface'
import type { PlacementDirector } from '@resultity/placement'
import type { OfferedModels } from '@resultity/relayed'
import type { FastifyInstance } from 'fastify'
import { aboutSchema, healthSchema } from './mesh-schema.ts'
import type { Metrics } from './metrics.ts'

const health: ApiRoute = {
  method: 'GET',
  path: '/healthz',
  id: 'health',
  summary: 'The process answers.',
  answers: { 200: { json: healthSchema } }
}

const healthAlias: ApiRoute = { ...health, path: '/health', id: 'healthAlias', summary: 'The same, as others call it.' }

const ready: ApiRoute = {
  method: 'GET',
  path: '/readyz',
  id: 'ready',
  summary: 'At least one model can answer.',
  answers: { 200: { json: healthSchema } },
  errors: [503]
}

const about: ApiRoute = {
  method: 'GET',
  path: '/',
  id: 'about',
  summary: 'What this is, and where to read on.',
  answers: { 200: { json: aboutSchema } }
}

const showMetrics: ApiRoute = {
  method: 'GET',
  path: '/metrics',
  id: 'metrics',
  summary: 'Prometheus metrics.',
  answers: { 200: { media: ['text/plain'] } }
}

const showDocument: ApiRoute = {
  method: 'GET',
  path: '/openapi.json',
  id: 'openapi',
  summary: 'This document.',
  answers: { 200: { media: ['application/json'] } }
}

/** `/`: says what answers at this address. */
export function addAboutRoute(server: FastifyInstance): void {
  addRoute(server, about, async () => ({
    name: 'Resultity Mesh',
    description: 'AI models on many machines, behind an API like OpenAI\u2019s.',
    api: '/v1',
    docs: '/docs',
    openapi: '/openapi.json',
    health: '/healthz',
    ready: '/readyz'
  }))
}

/** `/healthz`, `/health`: the process answers. `/readyz`: it can answer a prompt. */
export function addHealthRoutes(
  server: FastifyInstance,
  { director, offered }: { readonly director: PlacementDirector; readonly offered: OfferedModels }
): void {
  for (const route of [health, healthAlias]) addRoute(server, route, async () => ({ status: 'ok' }))
  addRoute(server, ready, async () => {
    if (offered.some || director.table.all().some(placement => placement.state === 'ready')) return { status: 'ready' }
    throw new MeshError('unavailable', 'no model has a ready placement', {
      hint: 'GET /v1/mesh/nodes and /v1/mesh/placements show what is there and how far it is.'
    })
  })
}

/** `/metrics`, for Prometheus. */
export function addMetricsRoute(server: FastifyInstance, { metrics }: { readonly metrics: Metrics }): void {
  addRoute(server, showMetrics, async (_request, reply) => {
    reply.type(metrics.contentType)
    return metrics.text()
  })
}

/** `/openapi.json`: what all routes of the server declare, those added later too. */
export function addDocumentRoute(server: FastifyInstance, routes: ApiRoutes, version: string): void {
  let document: ReturnType<typeof openApiDocument> | undefined
  addRoute(server, showDocument, async () => {
    document ??= openApiDocument(routes, version)
    return document
  })
}
