import { z } from 'zod'
import type { ApiAnswer, ApiRoute } from './api-route.ts'
import { errorSchema } from './error-schema.ts'

type Json = Readonly<Record<string, unknown>>

/** The OpenAPI 3.1 document of this server, made of what its routes declare. */
export function openApiDocument(routes: Iterable<ApiRoute>, version: string): Json {
  const components = new ComponentSchemas()
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes) {
    const operations = paths[route.path] ?? {}
    paths[route.path] = { ...operations, [route.method.toLowerCase()]: operation(route, components) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Resultity Mesh',
      version,
      description: 'OpenAI-compatible inference, computed by nodes that each hold some layers of the model.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
    },
    servers: [
      { url: '/' },
      {
        url: '/subclouds/{name}',
        description: 'The same, run on the nodes of a subcloud only. What names no model is the same as without.',
        variables: { name: { default: 'default', description: 'GET /v1/mesh/subclouds lists them.' } }
      }
    ],
    paths: Object.fromEntries(Object.entries(paths).toSorted(([a], [b]) => order(a).localeCompare(order(b), 'en'))),
    components: { schemas: components.toJson() }
  }
}

/** `/v1/chat/completions` belongs to `chat`. Routes outside of `/v1` are for the operator. */
function tagOf(path: string): string {
  return /^\/v1\/(\w+)/.exec(path)?.[1] ?? 'service'
}

function order(path: string): string {
  return path.startsWith('/v1/') ? `1${path}` : `2${path}`
}

function operation(route: ApiRoute, components: ComponentSchemas): Json {
  const parameters = [...pathParameters(route.path), ...queryParameters(route.query)]
  return {
    operationId: route.id,
    summary: route.summary,
    tags: [tagOf(route.path)],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...requestBody(route, components),
    responses: { ...answers(route, components), ...errors(route, components) }
  }
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => parameter(String(name), 'path', true, { type: 'string' }))
}

function queryParameters(query: z.ZodObject | undefined): Json[] {
  if (query === undefined) return []
  const { properties = {}, required = [] } = z.toJSONSchema(query, { io: 'input', reused: 'inline' })
  return Object.entries(properties).map(([name, schema]) => parameter(name, 'query', required.includes(name), schema))
}

function parameter(name: string, place: 'path' | 'query', required: boolean, schema: unknown): Json {
  return { name, in: place, required, schema }
}

function requestBody(route: ApiRoute, components: ComponentSchemas): Json {
  if (route.body === undefined) return {}
  const schema = components.reference(route.body, `${capitalised(route.id)}Request`)
  const content = { [route.bodyType ?? 'application/json']: { schema } }
  return { requestBody: { required: route.bodyOptional !== true, content } }
}

function answers(route: ApiRoute, components: ComponentSchemas): Json {
  const all = Object.entries(route.answers).map(([status, answer]) => [
    status,
    {
      description: answer.description ?? 'OK',
      headers: headers(answer.headers),
      ...content(answer, route, components)
    }
  ])
  return Object.fromEntries(all)
}

function content({ json, events, lines, media = [] }: ApiAnswer, route: ApiRoute, components: ComponentSchemas): Json {
  const name = capitalised(route.id)
  const types = Object.fromEntries([
    ...(json === undefined ? [] : [['application/json', { schema: components.reference(json, `${name}Answer`) }]]),
    ...(events === undefined ? [] : [['text/event-stream', { schema: components.reference(events, `${name}Event`) }]]),
    ...(lines === undefined ? [] : [['application/x-ndjson', { schema: components.reference(lines, `${name}Line`) }]]),
    ...media.map(type => [type, {}])
  ])
  return Object.keys(types).length === 0 ? {} : { content: types }
}

const errorMeanings: Readonly<Record<number, string>> = {
  400: 'The request is wrong; `param` names the field.',
  401: 'No key, or one that is not valid.',
  403: 'The key may not do this.',
  404: 'No such thing.',
  413: 'The body is too large.',
  415: 'The body is compressed in a way that is not taken; `accept-encoding` says which are.',
  422: 'An idempotency key came again with another body.',
  429: 'Too many requests at once; `retry-after` says when to try again.',
  501: 'Known, and not served here.',
  503: 'No node can serve this now; `retry-after` says when to try again.',
  504: 'A deadline passed.'
}

function errors(route: ApiRoute, components: ComponentSchemas): Json {
  const body = {
    'application/json': { schema: components.reference(route.errorFormat?.schema ?? errorSchema, 'Error') }
  }
  const { errors: own = [], body: taken } = route
  const responses = [...own, ...(taken === undefined ? [] : [415])].map(status => [
    String(status),
    { description: errorMeanings[status] ?? 'An error.', headers: headers(), content: body }
  ])
  return Object.fromEntries(responses)
}

function headers(meanings: Readonly<Record<string, string>> = {}): Json {
  const all = { 'x-request-id': 'Names this request in logs.', ...meanings }
  const entries = Object.entries(all).map(([name, description]) => [name, { description, schema: { type: 'string' } }])
  return Object.fromEntries(entries)
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

const COMPONENTS = '#/components/schemas/'

/** The document's named schemas. */
class ComponentSchemas {
  readonly #schemas = new Map<string, z.ZodType>()

  /** Takes `schema` in by its own id, else by `name`, and refers to it. @throws Error when the name is taken */
  reference(schema: z.ZodType, name: string): Json {
    const id = z.globalRegistry.get(schema)?.id ?? name
    const known = this.#schemas.get(id)
    if (known !== undefined && known !== schema) throw new Error(`two schemas are named ${id}`)
    this.#schemas.set(id, schema)
    return { $ref: COMPONENTS + id }
  }

  toJson(): Json {
    const registry = z.registry<{ id: string }>()
    for (const [id, schema] of this.#schemas) registry.add(schema, { id })
    const { schemas } = z.toJSONSchema(registry, { uri: id => COMPONENTS + id, io: 'input' })
    const { __shared: shared, ...named } = schemas
    // named schemas that only others use come apart, under a reference of their own
    const all = { ...named, ...(shared?.$defs ?? {}) }
    const text = JSON.stringify(Object.fromEntries(Object.entries(all).map(([id, schema]) => [id, bare(schema)])))
    return JSON.parse(text.replaceAll(`${COMPONENTS}__shared#/$defs/`, COMPONENTS))
  }
}

/** Without what only a document of one schema needs. */
function bare(schema: object): Json {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !['$schema', '$id', 'id'].includes(key)))
}
