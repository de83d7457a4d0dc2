import { readFile } from 'node:fs/promises'
import koffi, { type KoffiFunc } from 'koffi'

/** `MADV_RANDOM` of Linux: a page that is read comes alone, without the fifteen around it. */
const RANDOM = 1
/** `MADV_DONTNEED` of Linux: pages of a mapped file leave this process and come back from the page cache when read. */
const DONT_NEED = 4

let madvise: KoffiFunc<(address: bigint, bytes: number, advice: number) => number> | undefined

/**
 * Lets go of the mapped pages of a stage's weight files.
 *
 * Loading reads every weight once, to pack it, and much of it never again from the file: those pages would count as
 * this process's memory for as long as the stage lives. What is still read, such as rows of an embedding, comes back
 * page by page. Does nothing where the system is not Linux.
 *
 * @param directory of the weight files; mappings of files below it are let go
 */
export async function releaseMappedPages(directory: string): Promise<void> {
  if (process.platform !== 'linux') return
  madvise ??= koffi.load(null).func('madvise', 'int', ['uintptr_t', 'size_t', 'int'])
  const maps = await readFile('/proc/self/maps', 'utf8')
  for (const line of maps.split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+ +(\/.*)$/.exec(line)
    const [, first, end, path] = match ?? []
    if (first === undefined || end === undefined || path?.startsWith(`${directory}/`) !== true) continue
    const address = BigInt(`0x${first}`)
    // the mapping is private and nothing writes to it, so no change is lost; a refusal costs memory only
    const bytes = Number(BigInt(`0x${end}`) - address)
    madvise(address, bytes, DONT_NEED)
    madvise(address, bytes, RANDOM)
  }
}
