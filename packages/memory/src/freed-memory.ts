import koffi, { type KoffiFunc } from 'koffi'
import { callAsync } from './native-call.ts'

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
