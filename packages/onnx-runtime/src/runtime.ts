import { MeshError } from '@resultity/interface'
import { loadOrtLibrary, type OrtLibrary } from './library.ts'
import type { OrtApi, Pointer, PointerOut, Status } from './ort-api.ts'

/** `ORT_LOGGING_LEVEL_FATAL`: errors reach the caller as statuses; printed as well they would come twice. */
const LOG_LEVEL = 4
/** `OrtDeviceAllocator` and `OrtMemTypeDefault` of the header. */
const DEVICE_ALLOCATOR = 0
const MEMORY_TYPE_DEFAULT = 0

/** The library, with what every session needs of it; one per process, never unloaded. */
export interface Runtime extends OrtLibrary {
  readonly env: Pointer
  readonly cpuMemory: Pointer
}

let shared: Runtime | undefined

/** @throws MeshError `engine_failed` when the library is missing, too old or does not start */
export function getRuntime(): Runtime {
  if (shared !== undefined) return shared
  const library = loadOrtLibrary()
  const { api } = library
  shared = {
    ...library,
    env: obtain(api, 'create the environment', out => api.createEnv(LOG_LEVEL, 'resultity', out)),
    cpuMemory: obtain(api, 'describe CPU memory', out =>
      api.createCpuMemoryInfo(DEVICE_ALLOCATOR, MEMORY_TYPE_DEFAULT, out)
    )
  }
  return shared
}

/**
 * Turns a status into an exception and releases it.
 *
 * @param action what was tried, as the error's message names it: "could not {action}"
 * @throws MeshError `engine_failed` with the runtime's own message
 */
export function check(api: OrtApi, action: string, status: Status): void {
  if (status === null) return
  const message = api.getErrorMessage(status)
  api.releaseStatus(status)
  throw new MeshError('engine_failed', `could not ${action}: ${message}`)
}

/** The pointer that a creating function of the C API writes. */
export function obtain(api: OrtApi, action: string, create: (out: PointerOut) => Status): Pointer {
  const out = new BigUint64Array(1)
  check(api, action, create(out))
  return out[0] ?? 0n
}
