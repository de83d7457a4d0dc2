import { z } from 'zod'
import { chatChunkSchema, chatCompletionSchema, chatRequestSchema } from './chat-schema.ts'
import {
  errorSchema,
  healthSchema,
  listOf,
  modelSchema,
  nodeSchema,
  placementSchema,
  planSchema
} from './mesh-schema.ts'

type Json = Readonly<Record<string, unknown>>

const components = {
  ChatCompletionRequest: chatRequestSchema,
  ChatCompletion: chatCompletionSchema,
  ChatCompletionChunk: chatChunkSchema,
  Model: modelSchema,
  ModelList: listOf(modelSchema),
  Node: nodeSchema,
  NodeList: listOf(nodeSchema),
  Placement: placementSchema,
  PlacementList: listOf(placementSchema),
  Plan: planSchema,
  Health: healthSchema,
  Error: errorSchema
}
type ComponentName = keyof typeof components

/** The OpenAPI 3.1 document of this server, made of the schemas that check its requests. */
export function openApiDocument(version: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Resultity Mesh',
      version,
      description: 'OpenAI-compatible chat completions, computed by nodes that each hold some layers of the model.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
    },
    paths: paths(),
    components: { schemas: componentSchemas() }
  }
}

function paths(): Json {
  return {
    '/v1/chat/completions': { post: chatOperation() },
    '/v1/models': { get: operation('listModels', 'Models that requests may name.', 'ModelList') },
    '/v1/models/{id}': {
      get: operation(
        'retrieveModel',
        'One model. Slashes in its id may be raw or encoded.',
        'Model',
        [404],
        [parameter('id', 'path', true, { type: 'string' })]
      )
    },
    '/v1/mesh/nodes': { get: operation('listNodes', 'Nodes connected now, as they advertise themselves.', 'NodeList') },
    '/v1/mesh/placements': {
      get: operation(
        'listPlacements',
        'Which node serves which layers of which model, and how far it is.',
        'PlacementList'
      )
    },
    '/v1/mesh/plan': {
      get: operation(
        'plan',
        'How the planner would place a model now, and the predicted time per token.',
        'Plan',
        [400, 404, 503],
        [
          parameter('model', 'query', true, { type: 'string' }),
          parameter('stages', 'query', false, { oneOf: [{ const: 'auto' }, { type: 'integer', minimum: 1 }] })
        ]
      )
    },
    '/healthz': { get: operation('health', 'The process answers.', 'Health') },
    '/readyz': { get: operation('ready', 'At least one model can answer.', 'Health', [503]) },
    '/metrics': { get: textOperation('metrics', 'Prometheus metrics.', 'text/plain') },
    '/openapi.json': { get: textOperation('openapi', 'This document.', 'application/json') }
  }
}

function chatOperation(): Json {
  return {
    operationId: 'createChatCompletion',
    summary: 'Answers a conversation, whole or as server-sent events.',
    requestBody: { required: true, content: json('ChatCompletionRequest') },
    responses: {
      200: {
        description: 'The answer. Streamed: chunks as `data:` events, then `data: [DONE]`.',
        headers: {
          ...requestIdHeader(),
          'x-resultity-route': {
            description: 'Who computed the answer: `PEER[first,end) PEER[first,end) …`.',
            schema: { type: 'string' }
          }
        },
        content: {
          ...json('ChatCompletion'),
          'text/event-stream': { schema: reference('ChatCompletionChunk') }
        }
      },
      ...errorResponses([400, 404, 413, 429, 503, 504])
    }
  }
}

function operation(
  operationId: string,
  summary: string,
  answer: ComponentName,
  errors: readonly number[] = [],
  parameters: readonly Json[] = []
): Json {
  return {
    operationId,
    summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    responses: {
      200: { description: 'OK', headers: requestIdHeader(), content: json(answer) },
      ...errorResponses(errors)
    }
  }
}

function textOperation(operationId: string, summary: string, mediaType: string): Json {
  return {
    operationId,
    summary,
    responses: { 200: { description: 'OK', headers: requestIdHeader(), content: { [mediaType]: {} } } }
  }
}

function parameter(name: string, place: 'path' | 'query', required: boolean, schema: Json): Json {
  return { name, in: place, required, schema }
}

const errorMeanings: Readonly<Record<number, string>> = {
  400: 'The request is wrong; `param` names the field.',
  404: 'No such model.',
  413: 'The body is too large.',
  429: 'Too many requests at once; `retry-after` says when to try again.',
  503: 'No node can serve this now; `retry-after` says when to try again.',
  504: 'A deadline passed.'
}

function errorResponses(statuses: readonly number[]): Json {
  const responses = statuses.map(status => [
    String(status),
    { description: errorMeanings[status] ?? 'An error.', headers: requestIdHeader(), content: json('Error') }
  ])
  return Object.fromEntries(responses)
}

function requestIdHeader(): Json {
  return { 'x-request-id': { description: 'Names this request in logs.', schema: { type: 'string' } } }
}

function json(name: ComponentName): Json {
  return { 'application/json': { schema: reference(name) } }
}

function reference(name: ComponentName): Json {
  return { $ref: `#/components/schemas/${name}` }
}

function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(components)) registry.add(schema, { id })
  const { schemas } = z.toJSONSchema(registry, { uri: id => `#/components/schemas/${id}`, io: 'input' })
  return Object.fromEntries(Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]))
}
