import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AbortOptions } from '@resultity/interface'

/**
 * Passes bytes as a file that has no name any more: no other user can open it, and it is gone with the last process that
 * has it open, however that ends.
 *
 * @param use is given the file, open for reading, and a private folder, which is empty and removed afterwards
 */
export async function withPrivateFile<T>(
  bytes: Uint8Array,
  use: (file: FileHandle, folder: string) => Promise<T>,
  { signal }: AbortOptions = {}
): Promise<T> {
  // of mode 0700
  const folder = await mkdtemp(join(tmpdir(), 'resultity-audio-'))
  try {
    const path = join(folder, 'audio')
    await writeFile(path, bytes, { flag: 'wx', mode: 0o600, ...(signal && { signal }) })
    await using file = await open(path, 'r')
    await rm(path)
    return await use(file, folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
