import { readFile } from 'node:fs/promises'
import { Advice, advise } from './memory-advice.ts'

/**
 * Lets go of the mapped pages of a stage's weight files.
 *
 * Loading reads every weight once, to pack it, and much of it never again from the file: those pages would count as
 * this process's memory for as long as the stage lives. What is still read, the rows of an embedding, comes back in
 * pieces of up to 2 MB, as the page cache holds them, so it is let go again when the stage is idle. Does nothing where
 * the system is not Linux.
 *
 * @param directory of the weight files; mappings of files below it are let go
 * @param isLoaded whether the runtime still has them mapped; once it has not, their addresses may be another's
 */
export async function releaseMappedPages(directory: string, isLoaded = (): boolean => true): Promise<void> {
  if (process.platform !== 'linux') return
  // without the list they stay, which costs memory only
  const maps = await readFile('/proc/self/maps', 'utf8').catch(() => '')
  if (!isLoaded()) return
  for (const line of maps.split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+ +(\/.*)$/.exec(line)
    const [, first, end, path] = match ?? []
    if (first === undefined || end === undefined || path?.startsWith(`${directory}/`) !== true) continue
    const address = BigInt(`0x${first}`)
    // the mapping is private and nothing writes to it, so no change is lost
    const bytes = Number(BigInt(`0x${end}`) - address)
    advise(address, bytes, Advice.dontNeed)
    advise(address, bytes, Advice.random)
  }
}
