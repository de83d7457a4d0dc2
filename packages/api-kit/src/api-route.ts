import { MeshError } from '@resultity/interface'
import type {
  ContextConfigDefault,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
  RouteGenericInterface,
  RouteHandlerMethod
} from 'fastify'
import type { z } from 'zod'
import type { ErrorFormat } from './error-format.ts'

export type ApiMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** One kind of successful answer. Without `json`, `events`, `lines` and `media` it has no body. */
export interface ApiAnswer {
  /** Default "OK". */
  readonly description?: string
  readonly json?: z.ZodType
  /** What the `data:` lines of a stream of server-sent events hold. */
  readonly events?: z.ZodType
  /** What each line of a stream of JSON lines holds. */
  readonly lines?: z.ZodType
  /** Other media types it may come in, such as `text/plain`: not described further. */
  readonly media?: readonly string[]
  /** Meanings of its headers, by name. `x-request-id` is on every answer and need not be named. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * What one route takes and gives: the server's OpenAPI document is made of these, and a route without one is refused
 * when it is added.
 *
 * A schema with an id (`.meta({ id: 'Batch' })`) is a component of the document by that name; one without is named
 * after the operation.
 */
export interface ApiRoute {
  readonly method: ApiMethod
  /** As OpenAPI writes it: `/v1/batches/{id}/cancel`. `{id}` is the handler's `request.params.id`. */
  readonly path: string
  /** As Fastify writes it, only where that says more than `path`: `/v1/models/*` lets an id hold slashes. */
  readonly url?: string
  /** Its `operationId`; where OpenAI has the operation, their name for it. */
  readonly id: string
  /** A sentence. */
  readonly summary: string
  readonly body?: z.ZodType
  /** Default `application/json`. */
  readonly bodyType?: 'application/json' | 'multipart/form-data'
  /** Whether the body may be left out. Default false. */
  readonly bodyOptional?: boolean
  readonly query?: z.ZodObject
  /** By HTTP status. */
  readonly answers: Readonly<Record<number, ApiAnswer>>
  /** Statuses it may fail with, each with the usual error body. Default none. */
  readonly errors?: readonly number[]
  /** Default: OpenAI's form. */
  readonly errorFormat?: ErrorFormat
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route declares of itself; set by {@link addRoute}. */
    readonly api?: ApiRoute
  }
}

type Handler<T extends RouteGenericInterface> = RouteHandlerMethod<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  T,
  ContextConfigDefault
>

/** Serves a route as it is declared. */
export function addRoute<T extends RouteGenericInterface = RouteGenericInterface>(
  server: FastifyInstance,
  api: ApiRoute,
  handler: Handler<T>
): void {
  const url = api.url ?? api.path.replaceAll(/\{(\w+)\}/g, ':$1')
  server.route<T>({ method: api.method, url, config: { api }, handler })
}

/**
 * Keeps the declarations of all routes that are added from now on.
 *
 * @throws MeshError `internal` from the adding of a route that declares nothing, unless `exempt` says that it need not
 */
export function collectRoutes(server: FastifyInstance, exempt: (url: string) => boolean = () => false): ApiRoutes {
  const routes = new ApiRoutes()
  server.addHook('onRoute', ({ url, method, config }) => {
    if (config?.api !== undefined) return routes.add(config.api)
    if (exempt(url)) return
    throw new MeshError('internal', `the route ${String(method)} ${url} does not declare what it takes and gives`, {
      hint: 'Add it with addRoute() and an ApiRoute.'
    })
  })
  return routes
}

/** The declared routes of one server. */
export class ApiRoutes implements Iterable<ApiRoute> {
  readonly #routes = new Map<string, ApiRoute>()

  /** @throws MeshError `internal` when two declarations share a name */
  add(route: ApiRoute): void {
    const known = this.#routes.get(route.id)
    if (known !== undefined && known !== route) {
      throw new MeshError('internal', `${known.path} and ${route.path} are both named ${route.id}`)
    }
    this.#routes.set(route.id, route)
  }

  [Symbol.iterator](): Iterator<ApiRoute> {
    return this.#routes.values()
  }
}
