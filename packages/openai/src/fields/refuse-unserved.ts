import { isDeepStrictEqual } from 'node:util'
import { invalidRequest } from '@resultity/interface'
import { type FieldEndpoint, UNSERVED_FIELDS, type UnservedField } from './request-fields.ts'

interface Refusal extends UnservedField {
  readonly path: readonly string[]
  readonly neutral: NonNullable<UnservedField['neutral']>
}

/** By endpoint, so that a request costs a look at each of its own. */
const refusals: Readonly<Record<FieldEndpoint, readonly Refusal[]>> = {
  chat: refusalsAt('chat'),
  completions: refusalsAt('completions'),
  responses: refusalsAt('responses'),
  embeddings: refusalsAt('embeddings'),
  generations: refusalsAt('generations'),
  edits: refusalsAt('edits'),
  variations: refusalsAt('variations')
}

/**
 * Refuses what would change the answer and is not served. Other fields pass.
 *
 * @throws MeshError `invalid_request` naming the field
 */
export function refuseUnserved<T extends Readonly<Record<string, unknown>>>(endpoint: FieldEndpoint, body: T): T {
  const field = refusals[endpoint].find(one => !changesNothing(valueAt(body, one.path), one.neutral))
  if (field === undefined) return body
  throw invalidRequest(
    field.name,
    `${field.name} changes the answer, and is not served here`,
    field.instead ?? leaveOut(field)
  )
}

function refusalsAt(endpoint: FieldEndpoint): Refusal[] {
  return UNSERVED_FIELDS.flatMap(field => {
    const { name, endpoints, neutral } = field
    return neutral === undefined || !endpoints.includes(endpoint) ? [] : [{ ...field, neutral, path: name.split('.') }]
  })
}

function valueAt(body: unknown, path: readonly string[]): unknown {
  let value = body
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[name]
  }
  return value
}

function changesNothing(value: unknown, neutral: readonly unknown[]): boolean {
  return value === undefined || value === null || neutral.some(one => isDeepStrictEqual(one, value))
}

function leaveOut({ name, neutral }: Refusal): string {
  const values = neutral.map(value => JSON.stringify(value)).join(' or ')
  return `Leave ${name} out${values === '' ? '' : `, or send ${values}`}.`
}
