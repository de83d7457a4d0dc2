import type { JsonValue } from '@resultity/store'

/** Fields of requests that the mesh itself acts on. */
const OWN: ReadonlySet<string> = new Set([
  'model',
  'mesh',
  'models',
  'strategy',
  'vote',
  'judge',
  'store',
  'metadata',
  'stream',
  'stream_options'
])

/**
 * The fields of a request that are passed on: those of the endpoint's schema. What nobody here knows stays here, so that no field
 * of a request makes a server do what the mesh would not, such as fetch something. Pure.
 */
export function passedFields(
  request: Readonly<Record<string, unknown>>,
  known: Readonly<Record<string, unknown>>
): Readonly<Record<string, JsonValue>> {
  const passed = Object.entries(request).filter(
    ([name, value]) => Object.hasOwn(known, name) && !OWN.has(name) && value !== null && value !== undefined
  )
  const streamed = request.stream === true ? { stream: true, stream_options: { include_usage: true } } : {}
  return { ...(Object.fromEntries(passed) as Record<string, JsonValue>), ...streamed }
}

/** An object without its members that are null or undefined. Pure. */
export function present<T extends object>(object: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null && value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>
  }
}
