// What: moves packed weights into huge pages.
// Measured: cache and weights together 1.07 times the tokens at 128 positions, 1.11 at 4,096; docs/engine.md, "Huge pages".
// Upstream: no issue; it stands for an allocator of the runtime that asks for them, as llama.cpp considers for its
// mapped weights: https://github.com/ggml-org/llama.cpp/pull/22022

import { Advice, adviseAsync } from './advice.ts'
import { type MemoryMapping, memoryMappings } from './mappings.ts'

const HUGE_PAGE_BYTES = 2 * 1024 * 1024
/** A mapping with more than a little that was never touched would take that memory too. */
const TOUCHED_MIN = 0.98

/**
 * Moves the weights that loading has packed into huge pages, so that the sweep over them, once for every token, does
 * not wait for the processor to look up each 4 KB of it. Does nothing where the system has none, or is not Linux.
 */
export async function packIntoHugePages(): Promise<void> {
  for (const { address, bytes } of filledMappings(await memoryMappings())) {
    await adviseAsync(address, bytes, Advice.hugePage)
    await adviseAsync(address, bytes, Advice.collapse)
  }
}

/** The large ones that no file lies behind and that are filled. */
export function filledMappings(mappings: readonly MemoryMapping[]): MemoryMapping[] {
  return mappings.filter(
    ({ bytes, permissions, path, residentBytes }) =>
      permissions === 'rw-p' &&
      (path === '' || path === '[heap]') &&
      bytes >= HUGE_PAGE_BYTES &&
      residentBytes >= TOUCHED_MIN * bytes
  )
}
