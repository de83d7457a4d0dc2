// What: gives back the pages of code that only starting and loading needed.
// Measured: some 60 of 80 MB, half of which no later prompt brings back; docs/engine.md, "Memory".
// Upstream: none. V8 and the loader have no call for it; it stands for a Node that starts from a smaller image.

import { Advice, advise } from './advice.ts'
import type { MemoryMapping } from './mappings.ts'

/**
 * Lets go of the pages of code and constants, of Node and of libraries; they would count as this process's memory for as
 * long as it lives. Half of them are there only for starting and loading. What still runs comes back from the page cache,
 * 64 KB at a touch. Linux only.
 *
 * @param mappings of this process, as they are now
 */
export function releaseCodePages(mappings: readonly MemoryMapping[]): void {
  for (const { address, bytes } of codeMappings(mappings)) advise(address, bytes, Advice.dontNeed)
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
