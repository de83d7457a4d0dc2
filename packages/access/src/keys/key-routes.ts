import { addRoute, type ById, pagedListOf, parseInput, Resource, toPage } from '@resultity/api-kit'
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

const keys = new Resource('/v1/admin/keys', { errors: [401, 403] })

const routes = {
  list: keys.list({
    id: 'listApiKeys',
    summary: 'API keys of all namespaces, revoked ones too, newest first.',
    query: listQuery,
    json: pagedListOf('ApiKeyList', apiKeySchema),
    errors: [404]
  }),
  create: keys.create({
    id: 'createApiKey',
    summary: 'Makes an API key. Only this answer has it.',
    body: newKeySchema,
    json: createdKeySchema
  }),
  retrieve: keys.retrieve({ id: 'retrieveApiKey', summary: 'One API key.', json: apiKeySchema }),
  change: keys.change({
    id: 'changeApiKey',
    summary: 'Changes what is given: name, scopes, limits (as a whole), subclouds, expiry.',
    body: keyChangeSchema,
    json: apiKeySchema
  }),
  revoke: keys.action('revoke', { id: 'revokeApiKey', summary: 'Ends an API key for good.', json: apiKeySchema }),
  rotate: keys.action('rotate', {
    id: 'rotateApiKey',
    summary: 'Gives an API key a new secret, which only this answer has.',
    body: rotationSchema,
    bodyOptional: true,
    json: createdKeySchema
  })
}

/** `/v1/admin/keys`. */
export function addKeyRoutes(server: FastifyInstance, service: KeyService): void {
  addRoute(server, routes.list, async request => {
    const { namespace, after, limit } = parseInput(listQuery, request.query)
    const { keys, hasMore } = await service.list({
      limit,
      ...(namespace === undefined ? {} : { namespace }),
      ...(after === undefined ? {} : { after })
    })
    return toPage(keys, hasMore)
  })
  addRoute(server, routes.create, async request => service.create(parseInput(newKeySchema, request.body)))
  addRoute<ById>(server, routes.retrieve, async request => service.find(request.params.id))
  addRoute<ById>(server, routes.change, async request =>
    service.change(request.params.id, parseInput(keyChangeSchema, request.body))
  )
  addRoute<ById>(server, routes.revoke, async request => service.revoke(request.params.id))
  addRoute<ById>(server, routes.rotate, async request => {
    const { grace_seconds: grace } = parseInput(rotationSchema, request.body === undefined ? {} : request.body)
    return service.rotate(request.params.id, grace * 1000)
  })
}
