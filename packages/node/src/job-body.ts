import { MeshError, safeParse } from '@resultity/interface'
import type { z } from 'zod'

/** Reads the body of a job, UTF-8 JSON. @throws MeshError `protocol_violation` saying what is wrong with it */
export function parseJobBody<T extends z.ZodType>(schema: T, body: Uint8Array): z.output<T> {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (cause) {
    throw new MeshError('protocol_violation', 'the body of the job is not JSON', { cause })
  }
  const parsed = safeParse(schema, json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new MeshError(
    'protocol_violation',
    `the body of the job is wrong at ${issue?.path.join('.')}: ${issue?.message}`
  )
}
