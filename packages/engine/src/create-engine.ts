import type { Tuning } from '@resultity/interface'
import { getRuntime } from '@resultity/onnx-runtime'
import { processTuning } from '@resultity/runtime-tuning'
import { BatchGate } from './batch-gate.ts'
import { loadCapiBark } from './capi/capi-bark.ts'
import { loadCapiCaptioner } from './capi/capi-captioner.ts'
import { loadCapiDiffusion } from './capi/capi-diffusion.ts'
import { loadCapiEncoder } from './capi/capi-encoder.ts'
import { loadCapiPictureReader } from './capi/capi-picture-reader.ts'
import { loadCapiSpeech } from './capi/capi-speech.ts'
import { CapiStage } from './capi/capi-stage.ts'
import { loadCapiVoice } from './capi/capi-voice.ts'
import type { EngineContext } from './engine-context.ts'
import { withOtherKernels } from './other-kernels.ts'
import type { Engine } from './port.ts'

/**
 * - `capi` ONNX Runtime's C API: off the event loop, KV cache in place; what nodes use
 * - `node` onnxruntime-node's own API: on the event loop, copies the cache at every run; the yardstick for the other
 */
export type EngineKind = 'capi' | 'node'

export interface EngineOptions {
  /** What `@resultity/runtime-tuning` does for speed and memory of the whole process. Default false. */
  readonly tuning?: Tuning
  /** Results of another kind of processor, for tests; see {@link withOtherKernels}. Default false. */
  readonly otherKernels?: boolean
}

/** @throws MeshError `engine_failed` when the runtime does not start on this machine */
export async function createEngine(kind: EngineKind = 'capi', options: EngineOptions = {}): Promise<Engine> {
  const engine = await createOwnEngine(kind, options)
  return options.otherKernels === true ? withOtherKernels(engine) : engine
}

async function createOwnEngine(kind: EngineKind, options: EngineOptions): Promise<Engine> {
  const context: EngineContext = {
    gate: new BatchGate(() => performance.now()),
    tuning: processTuning(options.tuning ?? false)
  }
  if (kind === 'node') {
    // loaded when asked for: a node process never is
    const [
      { NodeStage },
      { loadNodeEncoder },
      { loadNodeSpeech },
      { loadNodeVoice },
      { loadNodeBark },
      { loadNodeCaptioner },
      { loadNodeDiffusion },
      { loadNodePictureReader }
    ] = await Promise.all([
      import('./node/node-stage.ts'),
      import('./node/node-encoder.ts'),
      import('./node/node-speech.ts'),
      import('./node/node-voice.ts'),
      import('./node/node-bark.ts'),
      import('./node/node-captioner.ts'),
      import('./node/node-diffusion.ts'),
      import('./node/node-picture-reader.ts')
    ])
    return {
      loadStage: (init, options) => NodeStage.load(init, context, options),
      loadEncoder: (init, options) => loadNodeEncoder(init, context, options),
      loadSpeech: (init, options) => loadNodeSpeech(init, context, options),
      loadVoice: (init, options) => loadNodeVoice(init, context, options),
      loadBark: (init, options) => loadNodeBark(init, context, options),
      loadCaptioner: (init, options) => loadNodeCaptioner(init, context, options),
      loadDiffusion: (init, options) => loadNodeDiffusion(init, context, options),
      loadPictureReader: (init, options) => loadNodePictureReader(init, context, options)
    }
  }
  getRuntime()
  return {
    loadStage: (init, options) => CapiStage.load(init, context, options),
    loadEncoder: (init, options) => loadCapiEncoder(init, context, options),
    loadSpeech: (init, options) => loadCapiSpeech(init, context, options),
    loadVoice: (init, options) => loadCapiVoice(init, context, options),
    loadBark: (init, options) => loadCapiBark(init, context, options),
    loadCaptioner: (init, options) => loadCapiCaptioner(init, context, options),
    loadDiffusion: (init, options) => loadCapiDiffusion(init, context, options),
    loadPictureReader: (init, options) => loadCapiPictureReader(init, context, options)
  }
}
