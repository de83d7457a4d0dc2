import { type AbortOptions, MeshError } from '@resultity/interface'
import { loadBarkGraphs } from '../bark-graphs.ts'
import { type BarkInit, BarkVoice, readPrompts } from '../bark-voice.ts'
import type { EngineContext } from '../engine-context.ts'
import { NodeTensorGraph } from './node-diffusion.ts'
import { createNodeSession } from './node-runtime.ts'
import { NodeText } from './written-text.ts'

/** @throws MeshError `engine_failed`, `model_invalid`; the reason of `signal` */
export async function loadNodeBark(
  init: BarkInit,
  { gate, tuning }: EngineContext,
  options: AbortOptions = {}
): Promise<BarkVoice> {
  options.signal?.throwIfAborted()
  try {
    const prompts = await readPrompts(init)
    const graphs = await loadBarkGraphs(
      init,
      {
        writer: async (source, shape) => {
          const session = await createNodeSession(source, init, tuning)
          return {
            begin: () => new NodeText({ session, edges: source.graph, shape }, {}),
            [Symbol.asyncDispose]: () => session.release()
          }
        },
        graph: async source => new NodeTensorGraph(await createNodeSession(source, init, tuning))
      },
      options
    )
    return new BarkVoice(init.manifest.config, prompts, graphs, gate)
  } catch (error) {
    options.signal?.throwIfAborted()
    throw MeshError.from(error, 'engine_failed')
  }
}
