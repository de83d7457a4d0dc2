import koffi from 'koffi'
import type { Pointer } from './ort-api.ts'
import { check, getRuntime } from './runtime.ts'

/** `kMaxStrLen` of the runtime's own provider names is 30; its longest list has some twenty. */
const PROVIDERS_MAX = 32

/**
 * What the runtime library on this machine could compute with, such as `cpu` and `webgpu`, best first. The engine's own
 * sessions use `cpu` alone.
 *
 * @throws MeshError `engine_failed` when the runtime does not start on this machine
 */
export function availableExecutionProviders(): string[] {
  const { api } = getRuntime()
  const out = new BigUint64Array(1)
  const count = new Int32Array(1)
  check(api, 'list the execution providers', api.getAvailableProviders(out, count))
  const [list = 0n] = out
  try {
    const length = Math.min(count[0] ?? 0, PROVIDERS_MAX)
    const names: Pointer[] = koffi.decode(list, koffi.array('void *', length))
    return names.map(name => shortName(koffi.decode(name, 'char', -1)))
  } finally {
    check(api, 'release the execution providers', api.releaseAvailableProviders(list, count[0] ?? 0))
  }
}

/** `CPUExecutionProvider` as onnxruntime-node and its settings call it: `cpu`. */
function shortName(name: string): string {
  return name.replace(/ExecutionProvider$/, '').toLowerCase()
}
