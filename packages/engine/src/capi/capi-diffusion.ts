import type { AbortOptions, DiffusionModel } from '@resultity/interface'
import { Binding, GraphSession, getRuntime, NativeTensor, type Runtime, runBound } from '@resultity/onnx-runtime'
import {
  type BuiltSource,
  loadDiffusionGraphs,
  type RunInput,
  type RunOutput,
  type TensorGraph
} from '../diffusion-graphs.ts'
import { WholeDiffusionModel } from '../diffusion-model.ts'
import type { EngineContext } from '../engine-context.ts'
import type { DiffusionInit } from '../port.ts'

/**
 * What a run took goes back to the system after it: the next may be of a smaller picture, or another component. A step takes
 * far longer than the pages take that it touches anew.
 */
const RUN_ENTRIES = { 'memory.enable_memory_arena_shrinkage': 'cpu:0' }

/** A graph on ONNX Runtime's C API: every run binds tensors of its own, since each may have sizes of its own. */
export class CapiTensorGraph implements TensorGraph {
  readonly #runtime: Runtime
  readonly #session: GraphSession

  constructor(runtime: Runtime, session: GraphSession) {
    this.#runtime = runtime
    this.#session = session
  }

  async run(
    inputs: readonly RunInput[],
    outputs: readonly RunOutput[],
    { signal }: AbortOptions
  ): Promise<readonly Float32Array[]> {
    const runtime = this.#runtime
    using memory = new DisposableStack()
    memory.use(this.#session.callers.work())
    const binding = memory.use(new Binding(runtime, this.#session))
    for (const { edge, data, shape } of inputs) {
      binding.input(edge, memory.use(new NativeTensor(runtime, data, shape)))
    }
    const results = outputs.map(({ edge, shape }) => {
      const data = new Float32Array(shape.reduce((product, size) => product * size, 1))
      binding.output(edge, memory.use(new NativeTensor(runtime, data, shape)))
      return data
    })
    await runBound(runtime, binding, signal, RUN_ENTRIES)
    return results
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session[Symbol.dispose]()
  }
}

/** @throws MeshError `engine_failed`, `model_invalid`; the reason of `signal` */
export async function loadCapiDiffusion(
  init: DiffusionInit,
  { gate, tuning }: EngineContext,
  options: AbortOptions = {}
): Promise<DiffusionModel> {
  const runtime = getRuntime()
  const { threads, spinning } = init
  const load = async ({ graph, folder, files }: BuiltSource): Promise<TensorGraph> => {
    const session = await GraphSession.load(runtime, { graph: graph.bytes, folder, threads, spinning, tuning })
    await tuning.releaseFilePages(files)
    return new CapiTensorGraph(runtime, session)
  }
  const graphs = await loadDiffusionGraphs(init, load, options)
  await tuning.releaseFreedMemory()
  return new WholeDiffusionModel(init, graphs, gate)
}
