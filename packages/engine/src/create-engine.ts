import { CapiStage } from './capi/capi-stage.ts'
import { getRuntime } from './capi/runtime.ts'
import type { Engine } from './port.ts'

/**
 * - `capi` ONNX Runtime's C API: off the event loop, KV cache in place; what nodes use
 * - `node` onnxruntime-node's own API: on the event loop, copies the cache at every run; the yardstick for the other
 */
export type EngineKind = 'capi' | 'node'

/** What both engines compute on: neither adds another of the runtime's execution providers to its sessions. */
export const EXECUTION_PROVIDERS: readonly string[] = ['cpu']

/** @throws MeshError `engine_failed` when the runtime does not start on this machine */
export async function createEngine(kind: EngineKind = 'capi'): Promise<Engine> {
  if (kind === 'node') {
    // loaded when asked for: a node process never is
    const { NodeStage } = await import('./node/node-stage.ts')
    return { loadStage: (init, options) => NodeStage.load(init, options) }
  }
  getRuntime()
  return { loadStage: (init, options) => CapiStage.load(init, options) }
}
