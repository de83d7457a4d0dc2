import { describeIssues, modelInvalid, safeParse } from '@resultity/interface'
import { z } from 'zod'

/** Reads a text of a model folder by its path within it; undefined where it has none. */
export type ReadText = (path: string) => string | undefined

/**
 * What a JSON file of a folder says.
 *
 * @throws MeshError `model_invalid` when it is missing, is no JSON, or naming each field that is wrong
 */
export function readConfig<Schema extends z.ZodType>(read: ReadText, path: string, schema: Schema): z.infer<Schema> {
  const text = read(path)
  if (text === undefined) throw modelInvalid(path, 'is missing', FOLDER)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw modelInvalid(path, 'is not JSON')
  }
  const parsed = safeParse(schema, json)
  if (parsed.success) return parsed.data
  throw modelInvalid(path, describeIssues(parsed.error, json), SUPPORTED)
}

const FOLDER = 'a folder of diffusers has model_index.json, and a folder with a config.json for each component'
const SUPPORTED = 'supported are Stable Diffusion 1, 2 and XL, Kandinsky 2.2, and models of their architecture'

/** A field that changes what is computed, with the one value that is supported; where it is missing, it has it. */
export function only<Value extends string | number | boolean>(value: Value): z.ZodType {
  return z.literal(value).nullish()
}

/** A field that turns something on that is not supported. */
export const unset = z.null().optional()
