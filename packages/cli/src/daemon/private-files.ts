import { chmod, lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'

/** Rights of all users but the owner. */
const OTHERS = 0o077

/**
 * Removes the rights of other users from a data directory and everything below it: prompts, keys and identities are
 * there. Links are not followed. The process's own mask makes later files private.
 */
export async function keepPrivate(directory: string, logger: Pick<Logger, 'warn'>): Promise<void> {
  // there are no such rights to take away
  if (process.platform === 'win32') return
  const counts = { tightened: 0, failed: 0 }
  await tighten(directory, counts)
  await tightenBelow(directory, counts)
  if (counts.tightened > 0) {
    logger.warn({ directory, files: counts.tightened }, 'other users could read files of the data directory; no more')
  }
  if (counts.failed > 0) {
    logger.warn(
      { directory, files: counts.failed },
      'files of the data directory belong to somebody else, who may read them'
    )
  }
}

type Counts = { tightened: number; failed: number }

async function tightenBelow(directory: string, counts: Counts): Promise<void> {
  for await (const entry of await opendir(directory)) {
    if (!entry.isFile() && !entry.isDirectory()) continue
    const path = join(directory, entry.name)
    await tighten(path, counts)
    if (entry.isDirectory()) await tightenBelow(path, counts)
  }
}

async function tighten(path: string, counts: Counts): Promise<void> {
  try {
    const { mode } = await lstat(path)
    if ((mode & OTHERS) === 0) return
    await chmod(path, mode & 0o7777 & ~OTHERS)
    counts.tightened++
  } catch (error) {
    // a file may be deleted in the meantime
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) counts.failed++
  }
}
