import { type AbortOptions, MeshError, requireSight } from '@resultity/interface'
import { Tensor } from 'onnxruntime-node'
import type { EngineContext } from '../engine-context.ts'
import { GraphSource } from '../graph-source.ts'
import { PictureReader, type PictureReaderInit } from '../picture-reader.ts'
import { createNodeSession } from './node-runtime.ts'

/** On onnxruntime-node's own API. @throws MeshError `engine_failed`, `model_invalid`; the reason of `signal` */
export async function loadNodePictureReader(
  init: PictureReaderInit,
  { gate, tuning }: EngineContext,
  options: AbortOptions = {}
): Promise<PictureReader> {
  options.signal?.throwIfAborted()
  const { config } = requireSight(init.manifest)
  await using loading = new AsyncDisposableStack()
  const source = loading.use(await GraphSource.forPictures(init))
  const session = await createNodeSession(source, init, tuning)
  loading.defer(() => session.release())
  const { graph } = source
  const run = async (pixels: Float32Array): Promise<Float32Array> => {
    const tensor = new Tensor('float32', pixels, [1, 3, config.imageSize, config.imageSize])
    const data = (await session.run({ [graph.pixels]: tensor }))[graph.shown]?.data
    if (data instanceof Float32Array) return data
    throw new MeshError('engine_failed', 'what looks at pictures gave no f32 output')
  }
  const loaded = loading.move()
  return new PictureReader(config, { graph, run, [Symbol.asyncDispose]: () => loaded.disposeAsync() }, gate)
}
