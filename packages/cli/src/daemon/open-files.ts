import { readFile } from 'node:fs/promises'
import { MeshError } from '@resultity/interface'

/**
 * Fewer do not even carry a daemon's start: measured, a coordinator with one model has 41 open when it is up, and some
 * more in between.
 */
export const OPEN_FILES_MIN = 64

const LIMIT_LINE = /^Max open files\s+(\d+|unlimited)/m

/** How many files this process may have open; undefined where the system does not say, or sets no limit. */
export async function openFilesLimit(): Promise<number | undefined> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const limit = Number(LIMIT_LINE.exec(limits)?.[1])
  return Number.isNaN(limit) ? undefined : limit
}

/** @throws MeshError `settings_invalid` where a daemon could not even start */
export function requireOpenFiles(limit: number | undefined): void {
  if (limit === undefined || limit >= OPEN_FILES_MIN) return
  throw new MeshError(
    'settings_invalid',
    `this process may open ${limit} files, and needs ${OPEN_FILES_MIN} at least`,
    {
      hint: 'Raise the limit, such as with "ulimit -n 4096" or LimitNOFILE=4096; every connection counts.',
      details: { limit, needed: OPEN_FILES_MIN }
    }
  )
}
