import type { CaptionTextGraph, SightGraph } from '@resultity/blip'
import { type AbortOptions, type BlipConfig, type Captioner, lookedAtLength } from '@resultity/interface'
import {
  Binding,
  GraphSession,
  getRuntime,
  NativeTensor,
  type Runtime,
  runBound,
  type TensorData
} from '@resultity/onnx-runtime'
import type { CaptionGraphs, Look } from '../caption-graphs.ts'
import { checkPicturesMax, WholeCaptioner } from '../captioner.ts'
import type { EngineContext } from '../engine-context.ts'
import { GraphSource } from '../graph-source.ts'
import type { CaptionerInit } from '../port.ts'
import type { TextState, TextSubject } from '../text-state.ts'
import { type BoundWindow, CapiText, type CapiTextParts } from './written-text.ts'

/** Both graphs, loaded by the runtime, and where they came from. */
interface CapiCaptionParts {
  readonly runtime: Runtime
  readonly config: BlipConfig
  readonly sight: GraphSession
  readonly text: CapiTextParts
  readonly sightSource: GraphSource<SightGraph>
  readonly textSource: GraphSource<CaptionTextGraph>
}

/** Both graphs of a model that says what pictures show, on ONNX Runtime's C API. */
class CapiCaptioner implements CaptionGraphs {
  readonly #parts: CapiCaptionParts

  constructor(parts: CapiCaptionParts) {
    this.#parts = parts
  }

  async look({ pixels, question }: Look, { signal }: AbortOptions): Promise<TextSubject> {
    const { runtime, config, sight, sightSource } = this.#parts
    const { graph } = sightSource
    using seen = new DisposableStack()
    const picture = seen.use(new CapiPicture(this.#parts, question?.length ?? lookedAtLength(config)))
    using memory = new DisposableStack()
    memory.use(sight.callers.work())
    const tensor = (data: TensorData, ...shape: number[]): NativeTensor =>
      memory.use(new NativeTensor(runtime, data, shape))
    const binding = memory.use(new Binding(runtime, sight))
    binding.input(graph.pixels, tensor(pixels, 1, 3, config.imageSize, config.imageSize))
    if (graph.question !== undefined && question !== undefined) {
      const places = BigInt64Array.from(question, (_, index) => BigInt(index))
      binding.input(graph.question.tokens, tensor(Int32Array.from(question), 1, question.length))
      binding.input(graph.question.positions, tensor(places, question.length))
    }
    for (const { edge, tensor: kept } of picture.tensors) binding.output(edge, kept)
    await runBound(runtime, binding, signal)
    seen.move()
    return picture
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { sight, text, sightSource, textSource } = this.#parts
    sight[Symbol.dispose]()
    text.session[Symbol.dispose]()
    await sightSource[Symbol.asyncDispose]()
    await textSource[Symbol.asyncDispose]()
  }
}

/** Memory of what is written about, a picture's keys and values or a question's: written by one graph and read by the other. */
class CapiPicture implements TextSubject {
  readonly tensors: readonly BoundWindow[]
  readonly #text: CapiTextParts

  constructor({ runtime, config, text, sightSource }: CapiCaptionParts, length: number) {
    this.#text = text
    const { headCount: heads, hiddenSize } = config.text
    const tensor = (...shape: number[]): NativeTensor => {
      const data = new Float32Array(length * hiddenSize)
      // it goes with the last user, not when the collector comes by
      return new NativeTensor(runtime, data, shape, () => void data.buffer.transfer(0))
    }
    this.tensors = sightSource.graph.cross.flatMap(({ keys, values }) => [
      { edge: keys, tensor: tensor(1, heads, hiddenSize / heads, length) },
      { edge: values, tensor: tensor(1, heads, length, hiddenSize / heads) }
    ])
  }

  begin(): TextState {
    return new CapiText(this.#text, this.tensors)
  }

  [Symbol.dispose](): void {
    for (const { tensor } of this.tensors) tensor[Symbol.dispose]()
  }
}

/** @throws MeshError `engine_failed`, `model_invalid`, `invalid_request`; the reason of `signal` */
export async function loadCapiCaptioner(
  init: CaptionerInit,
  { gate, tuning }: EngineContext,
  { signal }: AbortOptions = {}
): Promise<Captioner> {
  signal?.throwIfAborted()
  checkPicturesMax(init)
  const runtime = getRuntime()
  await using loading = new AsyncDisposableStack()
  const { threads, spinning, manifest } = init
  const load = async (source: GraphSource<{ readonly bytes: Uint8Array }>): Promise<GraphSession> => {
    const { graph, folder } = source
    const session = loading.use(
      await GraphSession.load(runtime, { graph: graph.bytes, folder, threads, spinning, tuning })
    )
    signal?.throwIfAborted()
    await tuning.releaseFilePages(source.files)
    return session
  }
  const sightSource = loading.use(await GraphSource.forSight(init))
  const sight = await load(sightSource)
  const textSource = loading.use(await GraphSource.forCaption(init))
  const session = await load(textSource)
  await tuning.releaseFreedMemory()
  const { config } = manifest
  const shape = { ...config.text, textContext: config.textContext, vocabularySize: config.vocabularySize }
  const text = { runtime, session, edges: textSource.graph, shape }
  const graphs = new CapiCaptioner({ runtime, config, sight, text, sightSource, textSource })
  const model = new WholeCaptioner(init, graphs, gate)
  loading.move()
  return model
}
