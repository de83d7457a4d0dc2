import { MeshError } from '@resultity/interface'
import { type Caller, may } from './caller.ts'

/** Whether a key may use, and see, the subcloud of this name. */
export function maySee(caller: Caller, name: string): boolean {
  return caller.subclouds === undefined || caller.subclouds.has(name) || may(caller, 'admin')
}

/** @throws MeshError `not_found`: of a subcloud that it was not given a key learns nothing, not even that it is there */
export function requireSubcloud(caller: Caller, name: string, param = 'mesh.subcloud'): void {
  if (maySee(caller, name)) return
  const names = [...(caller.subclouds ?? [])].toSorted().map(one => `"${one}"`)
  throw new MeshError('not_found', `there is no subcloud "${name.slice(0, 64)}"`, {
    hint: names.length === 0 ? 'None is defined here.' : `There are ${names.join(', ')}.`,
    details: { param, reason: 'subcloud_not_found' }
  })
}

/**
 * Refuses a body that names a subcloud that the key may not use, in the request itself or in a request inside it.
 * @throws MeshError `not_found` as {@link requireSubcloud}, naming the field
 */
export function requireSubcloudsOf(caller: Caller, body: unknown): void {
  if (caller.subclouds === undefined) return
  requireNamed(caller, body, '')
  const requests = fieldOf(body, 'requests')
  if (!Array.isArray(requests)) return
  for (const [index, request] of requests.entries())
    requireNamed(caller, fieldOf(request, 'body'), `requests[${index}].body.`)
}

function requireNamed(caller: Caller, body: unknown, at: string): void {
  const name = fieldOf(fieldOf(body, 'mesh'), 'subcloud')
  if (typeof name === 'string') requireSubcloud(caller, name, `${at}mesh.subcloud`)
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
