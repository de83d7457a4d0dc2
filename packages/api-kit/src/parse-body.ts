import { invalidRequest, safeParse } from '@resultity/interface'
import type { z } from 'zod'

/**
 * Checks a request's body or query.
 * @throws MeshError `invalid_request` whose `details.param` names the first field that is wrong
 */
export function parseInput<T extends z.ZodType>(schema: T, input: unknown): z.infer<T> {
  const result = safeParse(schema, input)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const param = fieldName(issue?.path ?? [])
  const where = param === '' ? 'the request' : `"${param}"`
  throw invalidRequest(param === '' ? null : param, `${where}: ${issue?.message ?? 'is not valid'}`)
}

/** `messages[0].content`, as OpenAI names fields in errors. */
function fieldName(path: readonly PropertyKey[]): string {
  let name = ''
  for (const key of path) {
    if (typeof key === 'number') name += `[${key}]`
    else name += name === '' ? String(key) : `.${String(key)}`
  }
  return name
}
