import type { z } from 'zod'
import { safeParse } from './safe-parse.ts'

/** JSON in UTF-8 that came from outside. @returns undefined where it is none, or not of the schema */
export function readJson<T extends z.ZodType>(schema: T, bytes: Uint8Array): z.output<T> | undefined {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
  return safeParse(schema, json).data
}
