import { type AbortOptions, type DiffusionModel, MeshError } from '@resultity/interface'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
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
import { createNodeSession } from './node-runtime.ts'

/** A graph on onnxruntime-node's own API: on the event loop, and a run is not to be stopped. */
export class NodeTensorGraph implements TensorGraph {
  readonly #session: InferenceSession

  constructor(session: InferenceSession) {
    this.#session = session
  }

  async run(
    inputs: readonly RunInput[],
    outputs: readonly RunOutput[],
    { signal }: AbortOptions
  ): Promise<readonly Float32Array[]> {
    const feeds = Object.fromEntries(inputs.map(({ edge, data, shape }) => [edge, tensorOf(data, shape)]))
    const results = await this.#session.run(
      feeds,
      outputs.map(({ edge }) => edge)
    )
    signal?.throwIfAborted()
    return outputs.map(({ edge, shape }) => {
      const data = results[edge]?.data
      const count = shape.reduce((product, size) => product * size, 1)
      if (data instanceof Float32Array && data.length === count) return data
      throw new MeshError('engine_failed', `the graph gave no ${count} numbers on "${edge}"`)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release()
  }
}

function tensorOf(data: Float32Array | Int32Array, shape: readonly number[]): Tensor {
  return data instanceof Float32Array ? new Tensor('float32', data, shape) : new Tensor('int32', data, shape)
}

/** @throws MeshError `engine_failed`, `model_invalid`; the reason of `signal` */
export async function loadNodeDiffusion(
  init: DiffusionInit,
  { gate, tuning }: EngineContext,
  options: AbortOptions = {}
): Promise<DiffusionModel> {
  try {
    const load = async (source: BuiltSource): Promise<TensorGraph> =>
      new NodeTensorGraph(await createNodeSession(source, init, tuning))
    return new WholeDiffusionModel(init, await loadDiffusionGraphs(init, load, options), gate)
  } catch (error) {
    options.signal?.throwIfAborted()
    throw MeshError.from(error, 'engine_failed')
  }
}
