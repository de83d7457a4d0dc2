// What: gives back the pages of weight files once the runtime has packed them.
// Measured: with an idle stage's other memory, 51 MB beside seven layers of the 1.1 B shape, 25 MB beside SmolLM2;
// docs/engine.md, "Memory".
// Upstream: goes once packed weights can be stored for our operators and mapped as they are:
// https://github.com/microsoft/onnxruntime/pull/23069

import { Advice, advise } from './advice.ts'
import type { MemoryMapping } from './mappings.ts'

/**
 * Lets go of the pages of the weight files `files`, which are named by their real paths. Loading reads every weight once, to
 * pack it, and much of it never again. What is still read, the rows of an embedding, comes back in pieces of up to 2 MB, as
 * the page cache holds them. Linux only.
 *
 * @param mappings of this process, as they are now
 */
export function releaseFilePages(mappings: readonly MemoryMapping[], files: ReadonlySet<string>): void {
  for (const { address, bytes, path } of mappings) {
    if (!files.has(path)) continue
    // the mapping is private and nothing writes to it, so no change is lost
    advise(address, bytes, Advice.dontNeed)
    advise(address, bytes, Advice.random)
  }
}
