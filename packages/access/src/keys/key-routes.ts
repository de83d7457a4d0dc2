import { type ApiRoute, addRoute, pagedListOf, parseInput, toPage } from '@resultity/api-kit'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import {
  apiKeySchema,
  createdKeySchema,
  keyChangeSchema,
  namespaceSchema,
  newKeySchema,
  rotationSchema
} from './key-schema.ts'
import type { KeyService } from './key-service.ts'

const listQuery = z.looseObject({
  namespace: namespaceSchema.optional(),
  after: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100)
})

const listKeys: ApiRoute = {
  method: 'GET',
  path: '/v1/admin/keys',
  id: 'listApiKeys',
  summary: 'API keys of all namespaces, revoked ones too, newest first.',
  query: listQuery,
  answers: { 200: { json: pagedListOf('ApiKeyList', apiKeySchema) } },
  errors: [400, 401, 403, 404]
}

const createKey: ApiRoute = {
  method: 'POST',
  path: '/v1/admin/keys',
  id: 'createApiKey',
  summary: 'Makes an API key. Only this answer has it.',
  body: newKeySchema,
  answers: { 200: { json: createdKeySchema } },
  errors: [400, 401, 403]
}

const retrieveKey: ApiRoute = {
  method: 'GET',
  path: '/v1/admin/keys/{id}',
  id: 'retrieveApiKey',
  summary: 'One API key.',
  answers: { 200: { json: apiKeySchema } },
  errors: [401, 403, 404]
}

const changeKey: ApiRoute = {
  method: 'POST',
  path: '/v1/admin/keys/{id}',
  id: 'changeApiKey',
  summary: 'Changes what is given: name, scopes, limits (as a whole), subclouds, expiry.',
  body: keyChangeSchema,
  answers: { 200: { json: apiKeySchema } },
  errors: [400, 401, 403, 404]
}

const revokeKey: ApiRoute = {
  method: 'POST',
  path: '/v1/admin/keys/{id}/revoke',
  id: 'revokeApiKey',
  summary: 'Ends an API key for good.',
  answers: { 200: { json: apiKeySchema } },
  errors: [401, 403, 404]
}

const rotateKey: ApiRoute = {
  method: 'POST',
  path: '/v1/admin/keys/{id}/rotate',
  id: 'rotateApiKey',
  summary: 'Gives an API key a new secret, which only this answer has.',
  body: rotationSchema,
  bodyOptional: true,
  answers: { 200: { json: createdKeySchema } },
  errors: [400, 401, 403, 404]
}

interface ById {
  Params: { id: string }
}

/** `/v1/admin/keys`. */
export function addKeyRoutes(server: FastifyInstance, service: KeyService): void {
  addRoute(server, listKeys, async request => {
    const { namespace, after, limit } = parseInput(listQuery, request.query)
    const { keys, hasMore } = await service.list({
      limit,
      ...(namespace === undefined ? {} : { namespace }),
      ...(after === undefined ? {} : { after })
    })
    return toPage(keys, hasMore)
  })
  addRoute(server, createKey, async request => service.create(parseInput(newKeySchema, request.body)))
  addRoute<ById>(server, retrieveKey, async request => service.find(request.params.id))
  addRoute<ById>(server, changeKey, async request =>
    service.change(request.params.id, parseInput(keyChangeSchema, request.body))
  )
  addRoute<ById>(server, revokeKey, async request => service.revoke(request.params.id))
  addRoute<ById>(server, rotateKey, async request => {
    const { grace_seconds: grace } = parseInput(rotationSchema, request.body ?? {})
    return service.rotate(request.params.id, grace * 1000)
  })
}
