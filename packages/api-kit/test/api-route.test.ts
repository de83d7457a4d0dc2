import { fastify } from 'fastify'
import t from 'tap'
import { z } from 'zod'
import { type ApiRoute, addRoute, collectRoutes } from '../src/api-route.ts'
import { openApiDocument } from '../src/openapi.ts'

const part = z.object({ size: z.int() }).meta({ id: 'TestPart' })
const thing = z.object({ id: z.string(), parts: z.array(part) }).meta({ id: 'TestThing' })

const makeThing: ApiRoute = {
  method: 'POST',
  path: '/v1/things/{id}/make',
  id: 'makeThing',
  summary: 'Makes a thing.',
  body: z.looseObject({ size: z.int().optional() }),
  query: z.looseObject({ after: z.string(), limit: z.coerce.number().int().optional() }),
  answers: { 202: { description: 'It is being made.', json: thing, headers: { location: 'Where to ask for it.' } } },
  errors: [404]
}
const dropThing: ApiRoute = {
  method: 'DELETE',
  path: '/v1/things/{id}/make',
  id: 'dropThing',
  summary: 'Drops it.',
  answers: { 204: {} }
}

t.test('a declared route is served where it says, and described as it says', async t => {
  const server = fastify()
  const routes = collectRoutes(server)
  addRoute<{ Params: { id: string } }>(server, makeThing, async (request, reply) => {
    reply.code(202)
    return { id: request.params.id, parts: [] }
  })
  addRoute(server, dropThing, async (_request, reply) => reply.code(204).send())
  const answer = await server.inject({ method: 'POST', url: '/v1/things/a%2Fb/make' })
  t.match(answer.json(), { id: 'a/b' })

  const { paths, components } = JSON.parse(JSON.stringify(openApiDocument(routes, '1.0.0')))
  t.same(Object.keys(paths), ['/v1/things/{id}/make'])
  const { post, delete: drop } = paths['/v1/things/{id}/make']
  t.same(Object.keys(drop.responses), ['204'])
  t.match(post, {
    operationId: 'makeThing',
    tags: ['things'],
    parameters: [
      { name: 'id', in: 'path', required: true },
      { name: 'after', in: 'query', required: true, schema: { type: 'string' } },
      { name: 'limit', in: 'query', required: false, schema: { type: 'integer' } }
    ],
    requestBody: {
      required: true,
      content: { 'application/json': { schema: { $ref: '#/components/schemas/MakeThingRequest' } } }
    },
    responses: {
      202: {
        description: 'It is being made.',
        headers: { location: { description: 'Where to ask for it.' }, 'x-request-id': {} },
        content: { 'application/json': { schema: { $ref: '#/components/schemas/TestThing' } } }
      },
      404: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } }
    }
  })
  t.same(Object.keys(components.schemas).toSorted(), ['Error', 'MakeThingRequest', 'TestPart', 'TestThing'])
  t.same(components.schemas.TestThing.properties.parts.items, { $ref: '#/components/schemas/TestPart' })
})

t.test('a route that declares nothing is refused, and so are two of one name', async t => {
  const server = fastify()
  collectRoutes(server, url => url.startsWith('/docs'))
  t.throws(() => server.get('/v1/secret', async () => ''), { code: 'internal', message: /\/v1\/secret/ })
  t.doesNotThrow(() => server.get('/docs/page', async () => ''))
  addRoute(server, dropThing, async () => '')
  const twin: ApiRoute = { ...dropThing, path: '/v1/other' }
  t.throws(() => addRoute(server, twin, async () => ''), { message: /both named dropThing/ })
})

t.test('two schemas of one name are refused', async t => {
  const first: ApiRoute = { ...dropThing, id: 'first', answers: { 200: { json: thing } } }
  const second: ApiRoute = { ...makeThing, id: 'testThing', answers: {}, body: z.object({}).meta({ id: 'TestThing2' }) }
  t.doesNotThrow(() => openApiDocument([first, second], '1'))
  const impostor: ApiRoute = { ...makeThing, id: 'testThing', answers: {}, body: z.object({}) }
  const named: ApiRoute = { ...dropThing, id: 'first', body: z.object({}).meta({ id: 'TestThingRequest' }) }
  t.throws(() => openApiDocument([named, impostor], '1'), /two schemas are named TestThingRequest/)
})
