// What: gives back the pages of weight files once the runtime has packed them.
// Measured: with an idle stage's other memory, 51 MB beside seven layers of the 1.1 B shape, 25 MB beside SmolLM2;
// docs/engine.md, "Memory".
// Upstream: goes once packed weights can be stored for our operators and mapped as they are:
// https://github.com/microsoft/onnxruntime/pull/23069

import { Advice, advise } from './advice.ts'
import { releaseCodePages } from './code-pages.ts'
import { memoryMappings } from './mappings.ts'

/**
 * Lets go of the pages of files that a stage does not need for now: of all code, and of its weight files. Loading reads
 * every weight once, to pack it, and much of it never again. What is still read, the rows of an embedding, comes back in
 * pieces of up to 2 MB, as the page cache holds them. Linux only.
 *
 * @param files the weight files, by their real paths
 * @param isLoaded whether the runtime still has them mapped; once it has not, their addresses may be another's
 */
export async function releaseFilePages(files: ReadonlySet<string>, isLoaded = (): boolean => true): Promise<void> {
  const mappings = await memoryMappings()
  releaseCodePages(mappings)
  if (!isLoaded()) return
  for (const { address, bytes, path } of mappings) {
    if (!files.has(path)) continue
    // the mapping is private and nothing writes to it, so no change is lost
    advise(address, bytes, Advice.dontNeed)
    advise(address, bytes, Advice.random)
  }
}
