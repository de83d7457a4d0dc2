import { type AbortOptions, outputSize } from '@resultity/interface'
import type { EncoderGraph } from '@resultity/model'
import { Binding, GraphSession, getRuntime, NativeTensor, type Runtime, runBound } from '@resultity/onnx-runtime'
import { Encoder, type EncoderInit, type EncoderSession } from '../encoder.ts'
import type { EncoderInputs } from '../encoder-batches.ts'
import type { EngineContext } from '../engine-context.ts'
import { GraphSource } from '../graph-source.ts'

interface CapiEncoderComponents {
  readonly runtime: Runtime
  readonly session: GraphSession
  readonly source: GraphSource<EncoderGraph>
  readonly dimensions: number
}

/** An encoder's graph on ONNX Runtime's C API: every run binds tensors of its own, since every run has its own shape. */
class CapiEncoderSession implements EncoderSession {
  readonly #components: CapiEncoderComponents

  constructor(components: CapiEncoderComponents) {
    this.#components = components
  }

  async run(inputs: EncoderInputs, { signal }: AbortOptions): Promise<Float32Array> {
    const { runtime, source, session, dimensions } = this.#components
    const { graph } = source
    const { count, width } = inputs
    using memory = new DisposableStack()
    memory.use(session.callers.work())
    const tensor = <Data extends Int32Array | Float32Array>(data: Data, ...shape: number[]): NativeTensor<Data> =>
      memory.use(new NativeTensor(runtime, data, shape))
    const output = tensor(new Float32Array(count * dimensions), count, 1, dimensions)
    const binding = memory.use(new Binding(runtime, session))
    binding.input(graph.tokens, tensor(inputs.tokens, count, width))
    binding.input(graph.types, tensor(inputs.types, count, width))
    binding.input(graph.lengths, tensor(inputs.lengths, count))
    binding.input(graph.shares, tensor(inputs.shares, count, 1, width))
    binding.output(graph.output, output)
    await runBound(runtime, binding, signal)
    return output.data
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#components.session[Symbol.dispose]()
    await this.#components.source[Symbol.asyncDispose]()
  }
}

/** @throws MeshError `engine_failed`, `model_invalid`; the reason of `signal` */
export async function loadCapiEncoder(
  init: EncoderInit,
  { gate, tuning }: EngineContext,
  options: AbortOptions = {}
): Promise<Encoder> {
  options.signal?.throwIfAborted()
  const runtime = getRuntime()
  await using loading = new AsyncDisposableStack()
  const source = loading.use(await GraphSource.forEncoder(init))
  const { threads, spinning, manifest } = init
  const { folder } = source
  const session = loading.use(
    await GraphSession.load(runtime, { graph: source.graph.bytes, folder, threads, spinning, tuning })
  )
  options.signal?.throwIfAborted()
  await tuning.releaseFilePages(source.files)
  await tuning.releaseFreedMemory()
  const dimensions = outputSize(manifest.config)
  const encoder = new Encoder(manifest, new CapiEncoderSession({ runtime, session, source, dimensions }), gate)
  loading.move()
  return encoder
}
