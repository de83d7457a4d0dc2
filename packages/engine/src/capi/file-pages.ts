import { Advice, advise } from './memory-advice.ts'
import { type MemoryMapping, memoryMappings } from './memory-mappings.ts'

/**
 * Lets go of the pages of files that a stage does not need for now; they would count as this process's memory for as
 * long as it lives. What is read again comes back from the page cache. Linux only.
 *
 * - Its weight files: loading reads every weight once, to pack it, and much of it never again. What is still read, the
 *   rows of an embedding, comes back in pieces of up to 2 MB, as the page cache holds them.
 * - Code and constants, of Node, the runtime and other libraries: half of them are there only for starting and loading.
 *   What still runs comes back 64 KB at a touch.
 *
 * @param directory of the weight files
 * @param isLoaded whether the runtime still has them mapped; once it has not, their addresses may be another's
 */
export async function releaseFilePages(directory: string, isLoaded = (): boolean => true): Promise<void> {
  const mappings = await memoryMappings()
  for (const { address, bytes } of codeMappings(mappings)) advise(address, bytes, Advice.dontNeed)
  if (!isLoaded()) return
  for (const { address, bytes, path } of mappings) {
    if (!path.startsWith(`${directory}/`)) continue
    // the mapping is private and nothing writes to it, so no change is lost
    advise(address, bytes, Advice.dontNeed)
    advise(address, bytes, Advice.random)
  }
}

/**
 * Those of programs and libraries that hold what the files hold. Constants with addresses in them are written when a file
 * is loaded and only read from then on: these look the same but for their anonymous memory, and would be lost.
 */
export function codeMappings(mappings: readonly MemoryMapping[]): MemoryMapping[] {
  const executed = mappings.filter(({ permissions, path }) => permissions === 'r-xp' && path.startsWith('/'))
  const files = new Set(executed.map(({ path }) => path))
  return mappings.filter(
    ({ permissions, path, anonymousBytes }) =>
      (permissions === 'r-xp' || permissions === 'r--p') && anonymousBytes === 0 && files.has(path)
  )
}
