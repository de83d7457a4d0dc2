import type { Scope } from './keys/caller.ts'

/** Routes that answer everybody: they tell nothing of the mesh or its users. */
const PUBLIC = /^\/(healthz|readyz|openapi\.json|docs)(\/|$)/

const SUBCLOUD = /^\/subclouds\/[^/]+(?=\/)/

const areas: readonly (readonly [RegExp, Scope])[] = [
  [/^\/v1\/admin(\/|$)/, 'admin'],
  [/^\/v1\/usage(\/|$)/, 'read-usage'],
  [/^\/v1\/webhooks(\/|$)/, 'webhooks'],
  [/^\/v1\/mesh(\/|$)/, 'read-mesh'],
  [/^\/metrics$/, 'read-mesh']
]

/**
 * The scope that a route asks for; undefined where it asks for no key at all. Everything that is not named here is
 * inference, so a route that is added needs a key unless somebody decides otherwise.
 *
 * @param url the route's own pattern, not what the client sent: no encoding of a path gets past it
 */
export function scopeOf(url: string): Scope | undefined {
  const path = url.replace(SUBCLOUD, '')
  if (PUBLIC.test(path)) return undefined
  return areas.find(([pattern]) => pattern.test(path))?.[1] ?? 'inference'
}
