import type { PictureReaderGraph } from '@resultity/blip'
import { type AbortOptions, requireSight, statesOfPiece } from '@resultity/interface'
import { Binding, GraphSession, getRuntime, NativeTensor, runBound } from '@resultity/onnx-runtime'
import type { EngineContext } from '../engine-context.ts'
import { GraphSource } from '../graph-source.ts'
import { PictureReader, type PictureReaderInit, type PictureReaderSession } from '../picture-reader.ts'

/** @throws MeshError `engine_failed`, `model_invalid`; the reason of `signal` */
export async function loadCapiPictureReader(
  init: PictureReaderInit,
  { gate, tuning }: EngineContext,
  options: AbortOptions = {}
): Promise<PictureReader> {
  options.signal?.throwIfAborted()
  const { config } = requireSight(init.manifest)
  const { hiddenSize } = init.manifest.config
  const runtime = getRuntime()
  await using loading = new AsyncDisposableStack()
  const source: GraphSource<PictureReaderGraph> = loading.use(await GraphSource.forPictures(init))
  const { graph, folder, files } = source
  const { threads, spinning } = init
  const session = loading.use(
    await GraphSession.load(runtime, { graph: graph.bytes, folder, threads, spinning, tuning })
  )
  await tuning.releaseFilePages(files)
  await tuning.releaseFreedMemory()
  const run = async (pixels: Float32Array, { signal }: AbortOptions): Promise<Float32Array> => {
    using memory = new DisposableStack()
    memory.use(session.callers.work())
    const count = statesOfPiece(config)
    const input = memory.use(new NativeTensor(runtime, pixels, [1, 3, config.imageSize, config.imageSize]))
    const output = memory.use(new NativeTensor(runtime, new Float32Array(count * hiddenSize), [1, count, hiddenSize]))
    const binding = memory.use(new Binding(runtime, session))
    binding.input(graph.pixels, input)
    binding.output(graph.shown, output)
    await runBound(runtime, binding, signal)
    return output.data
  }
  const loaded = loading.move()
  const own: PictureReaderSession = { graph, run, [Symbol.asyncDispose]: () => loaded.disposeAsync() }
  return new PictureReader(config, own, gate)
}
