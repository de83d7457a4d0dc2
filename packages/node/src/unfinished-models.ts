import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

export interface KeptModels {
  /** Unix milliseconds. Older ones are removed. */
  readonly changedAfter?: number
  /** Of the others the latest so many are kept. */
  readonly countMax?: number
  /** Path of one that is kept anyhow. */
  readonly inUse?: string
}

/** Removes folders below `directory`, each with what was fetched of a model whose layers were not all made. */
export async function removeUnfinished(
  directory: string,
  { changedAfter = 0, countMax = Number.POSITIVE_INFINITY, inUse }: KeptModels
): Promise<void> {
  // the folder is made with the first model
  const names = await readdir(directory).catch(() => [])
  const folders: { path: string; changedMs: number }[] = []
  for (const name of names) {
    const path = join(directory, name)
    const stats = await stat(path).catch(() => undefined)
    if (path !== inUse && stats?.isDirectory() === true) folders.push({ path, changedMs: stats.mtimeMs })
  }
  const latest = folders.toSorted((a, b) => b.changedMs - a.changedMs)
  const removed = latest.filter(({ changedMs }, at) => changedMs < changedAfter || at >= countMax)
  for (const { path } of removed) await rm(path, { recursive: true, force: true })
}
