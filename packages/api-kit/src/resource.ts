import { z } from 'zod'
import type { ApiMethod, ApiRoute } from './api-route.ts'

/** A handler's parameters where one entry of a resource is named. */
export interface ById {
  Params: { id: string }
}

export interface ResourceInit {
  /** Statuses that every route of it may fail with, beside those that follow from what the route takes. */
  readonly errors?: readonly number[]
  /** What an entry is called by in paths. Default `id`. */
  readonly param?: string
}

/** What a route says that does not follow from its place in a resource. */
export interface ResourceRoute extends Omit<ApiRoute, 'method' | 'path' | 'url' | 'answers'> {
  /** Its answer with status 200; or all in `answers`. */
  readonly json?: z.ZodType
  readonly answers?: ApiRoute['answers']
  /** Beside those of the resource, 400 of a route that takes a body or a query, and 404 of one that names an entry. */
  readonly errors?: readonly number[]
}

/** Things of one kind at one path: declares the usual routes to list, make, read, change and remove them. */
export class Resource {
  readonly #path: string
  readonly #entry: string
  readonly #errors: readonly number[]

  /** @param path as `/v1/files` */
  constructor(path: string, { errors = [], param = 'id' }: ResourceInit = {}) {
    this.#path = path
    this.#entry = `${path}/{${param}}`
    this.#errors = errors
  }

  list(route: ResourceRoute): ApiRoute {
    return this.#route('GET', this.#path, route)
  }

  create(route: ResourceRoute): ApiRoute {
    return this.#route('POST', this.#path, route)
  }

  /** Makes the entry of a name, or replaces it. */
  put(route: ResourceRoute): ApiRoute {
    return this.#route('PUT', this.#entry, route)
  }

  retrieve(route: ResourceRoute): ApiRoute {
    return this.#ofEntry('GET', '', route)
  }

  change(route: ResourceRoute): ApiRoute {
    return this.#ofEntry('POST', '', route)
  }

  remove(route: ResourceRoute): ApiRoute {
    return this.#ofEntry('DELETE', '', route)
  }

  /** Reads a part of an entry: `GET PATH/{id}/NAME`. */
  part(name: string, route: ResourceRoute): ApiRoute {
    return this.#ofEntry('GET', `/${name}`, route)
  }

  /** Does something with an entry: `POST PATH/{id}/NAME`. */
  action(name: string, route: ResourceRoute): ApiRoute {
    return this.#ofEntry('POST', `/${name}`, route)
  }

  #ofEntry(method: ApiMethod, below: string, route: ResourceRoute): ApiRoute {
    return this.#route(method, `${this.#entry}${below}`, { ...route, errors: [404, ...(route.errors ?? [])] })
  }

  #route(method: ApiMethod, path: string, { json, answers, errors = [], ...said }: ResourceRoute): ApiRoute {
    const takes = said.body !== undefined || said.query !== undefined ? [400] : []
    return {
      ...said,
      method,
      path,
      answers: answers ?? { 200: json === undefined ? {} : { json } },
      errors: [...new Set([...this.#errors, ...takes, ...errors])].toSorted((a, b) => a - b)
    }
  }
}

/** `{id, object, deleted: true}`: what the removal of an entry is answered with. */
export function deletedOf<T extends string>(object: T) {
  return z.object({ id: z.string(), object: z.literal(object), deleted: z.literal(true) })
}
