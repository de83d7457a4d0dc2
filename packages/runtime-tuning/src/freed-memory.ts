// What: glibc's malloc_trim after loading and importing.
// Measured: 5 to 28 MB a SmolLM2 stage, 62 MB after a coordinator's import; docs/engine.md and docs/benchmarks.md, "Memory".
// Upstream: https://github.com/microsoft/onnxruntime/pull/32107 does it in the runtime when a session ends.

import { callAsync } from '@resultity/native-call'
import koffi, { type KoffiFunc } from 'koffi'

type MallocTrim = KoffiFunc<(keepBytes: number) => number>

let mallocTrim: MallocTrim | undefined

/** glibc's; other C libraries have none, or need none. */
function mallocTrimOf(): MallocTrim | undefined {
  try {
    mallocTrim ??= koffi.load(null).func('malloc_trim', 'int', ['size_t'])
  } catch {
    return undefined
  }
  return mallocTrim
}

/**
 * Gives memory that was freed back to the system, off the event loop: loading a stage or importing a model reads and
 * packs weights through buffers whose pages the allocator would otherwise keep. Linux with glibc only.
 */
export async function releaseFreedMemory(): Promise<void> {
  const trim = process.platform === 'linux' ? mallocTrimOf() : undefined
  if (trim === undefined) return
  const { promise, resolve } = Promise.withResolvers<void>()
  callAsync(trim, [0], () => resolve())
  await promise
}
