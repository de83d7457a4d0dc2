import type { AbortOptions } from '@resultity/interface'
import { GraphSession, getRuntime } from '@resultity/onnx-runtime'
import { loadBarkGraphs } from '../bark-graphs.ts'
import { type BarkInit, BarkVoice, readPrompts } from '../bark-voice.ts'
import type { BuiltSource } from '../diffusion-graphs.ts'
import type { EngineContext } from '../engine-context.ts'
import { CapiTensorGraph } from './capi-diffusion.ts'
import { CapiText } from './written-text.ts'

/** @throws MeshError `engine_failed`, `model_invalid`; the reason of `signal` */
export async function loadCapiBark(
  init: BarkInit,
  { gate, tuning }: EngineContext,
  options: AbortOptions = {}
): Promise<BarkVoice> {
  options.signal?.throwIfAborted()
  const runtime = getRuntime()
  const { threads, spinning } = init
  const load = async ({ graph, folder, files }: BuiltSource): Promise<GraphSession> => {
    const session = await GraphSession.load(runtime, { graph: graph.bytes, folder, threads, spinning, tuning })
    await tuning.releaseFilePages(files)
    return session
  }
  const prompts = await readPrompts(init)
  const graphs = await loadBarkGraphs(
    init,
    {
      writer: async (source, shape) => {
        const session = await load(source)
        return {
          begin: () => new CapiText({ runtime, session, edges: source.graph, shape }, []),
          [Symbol.asyncDispose]: async () => session[Symbol.dispose]()
        }
      },
      graph: async source => new CapiTensorGraph(runtime, await load(source))
    },
    options
  )
  await tuning.releaseFreedMemory()
  return new BarkVoice(init.manifest.config, prompts, graphs, gate)
}
