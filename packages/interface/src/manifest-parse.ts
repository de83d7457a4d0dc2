import { describeIssues } from './describe-issues.ts'
import { MeshError } from './errors.ts'
import { type ModelManifest, modelManifestSchema } from './manifest.ts'
import { safeParse } from './safe-parse.ts'

/**
 * Reads a manifest as it lies in a blob.
 *
 * @param name of the blob, for errors
 * @throws MeshError `model_invalid` naming each field that is wrong
 */
export function parseModelManifest(name: string, bytes: Uint8Array): ModelManifest {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw unreadable(name, 'it is no JSON', cause)
  }
  const parsed = safeParse(modelManifestSchema, json)
  if (!parsed.success) throw unreadable(name, describeIssues(parsed.error, json), parsed.error)
  return parsed.data
}

function unreadable(name: string, reason: string, cause: unknown): MeshError {
  return new MeshError('model_invalid', `manifest ${name} is not a manifest this version reads: ${reason}`, {
    cause,
    hint: 'node and coordinator may be of different versions; upgrade the older one'
  })
}
