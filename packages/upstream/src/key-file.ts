import { readFile } from 'node:fs/promises'
import { MeshError } from '@resultity/interface'

/** Longer than any key. */
const KEY_CHARACTERS_MAX = 4096

/**
 * The key in a file: its text, without white space around it.
 * @throws MeshError `settings_invalid` where there is none
 */
export async function readKeyFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw invalid(path, 'cannot be read', cause)
  })
  const key = text.trim()
  if (key.length > 0 && key.length <= KEY_CHARACTERS_MAX && /^[\x21-\x7e]+$/.test(key)) return key
  throw invalid(path, 'holds no key')
}

function invalid(path: string, what: string, cause?: unknown): MeshError {
  return new MeshError('settings_invalid', `the file of the upstream's key ${what}: ${path}`, {
    hint: 'Write the key into it, alone in one line, and name it by --upstream-key-file.',
    cause
  })
}
