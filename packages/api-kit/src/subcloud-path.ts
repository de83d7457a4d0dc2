import { invalidRequest } from '@resultity/interface'
import type { FastifyRequest } from 'fastify'

/** Prefix of a path whose request is to run in a subcloud. */
const PREFIX = /^\/+subclouds\/+([^/?#]+)(\/+(?:v[12]|api)\/.*)$/s

/** The path of the route itself: every route is there once, and each in every subcloud. */
export function withoutSubcloud(url: string): string {
  return PREFIX.exec(url)?.[2] ?? url
}

/** The subcloud that the client's path names. */
export function subcloudOf({ originalUrl }: FastifyRequest): string | undefined {
  return PREFIX.exec(originalUrl)?.[1]
}

/**
 * The body of a request that names a model, with the subcloud that its path names.
 * @throws MeshError `invalid_request` when the body names another
 */
export function bodyInSubcloud(request: FastifyRequest): unknown {
  const name = subcloudOf(request)
  return name === undefined ? request.body : inSubcloud(request.body, name)
}

/** A body with a subcloud in it, where it is one that can have it: what else is wrong with it is said elsewhere. */
export function inSubcloud(body: unknown, name: string): unknown {
  if (!isObject(body)) return body
  const { mesh } = body
  if (mesh !== undefined && mesh !== null && !isObject(mesh)) return body
  const own = mesh?.subcloud
  if (own !== undefined && own !== null && own !== name) {
    throw invalidRequest('mesh.subcloud', `mesh.subcloud is ${JSON.stringify(own)} and the path names "${name}"`)
  }
  return { ...body, mesh: { ...mesh, subcloud: name } }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
