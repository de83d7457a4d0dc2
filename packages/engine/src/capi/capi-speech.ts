import type { AbortOptions } from '@resultity/interface'
import { Binding, GraphSession, getRuntime, NativeTensor, runBound } from '@resultity/onnx-runtime'
import type { CrossEdges } from '@resultity/whisper'
import type { EngineContext } from '../engine-context.ts'
import { GraphSource } from '../graph-source.ts'
import type { SpeechInit, SpeechModel } from '../port.ts'
import { type SpeechGraphs, textShapeOf } from '../speech-graphs.ts'
import { checkSpeechLimits, WholeSpeechModel } from '../speech-model.ts'
import type { TextState, TextSubject } from '../text-state.ts'
import type { CapiSpeechParts } from './speech-parts.ts'
import { CapiText } from './written-text.ts'

/** Both graphs of a speech model on ONNX Runtime's C API. */
class CapiSpeech implements SpeechGraphs {
  readonly #parts: CapiSpeechParts

  constructor(parts: CapiSpeechParts) {
    this.#parts = parts
  }

  async hear(mel: Float32Array, { signal }: AbortOptions): Promise<TextSubject> {
    const { runtime, config, audio, audioSource } = this.#parts
    const { graph } = audioSource
    using heard = new DisposableStack()
    const window = heard.use(new CapiWindow(this.#parts, graph.cross))
    using memory = new DisposableStack()
    memory.use(audio.callers.work())
    const binding = memory.use(new Binding(runtime, audio))
    const input = memory.use(new NativeTensor(runtime, mel, [1, config.melBins, 2 * config.audioContext]))
    binding.input(graph.mel, input)
    for (const { edge, tensor } of window.tensors) binding.output(edge, tensor)
    await runBound(runtime, binding, signal)
    heard.move()
    return window
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { audio, text, audioSource, textSource } = this.#parts
    audio[Symbol.dispose]()
    text.session[Symbol.dispose]()
    await audioSource[Symbol.asyncDispose]()
    await textSource[Symbol.asyncDispose]()
  }
}

/** Memory of a window's keys and values, written by one graph and read by the other. */
class CapiWindow implements TextSubject {
  readonly tensors: readonly { readonly edge: string; readonly tensor: NativeTensor }[]
  readonly #parts: CapiSpeechParts

  constructor(parts: CapiSpeechParts, cross: readonly CrossEdges[]) {
    this.#parts = parts
    const { runtime, config } = parts
    const { decoderHeadCount: heads, audioContext, hiddenSize } = config
    const tensor = (...shape: number[]): NativeTensor => {
      const data = new Float32Array(audioContext * hiddenSize)
      // it goes with the last user, not when the collector comes by
      return new NativeTensor(runtime, data, shape, () => void data.buffer.transfer(0))
    }
    this.tensors = cross.flatMap(({ keys, values }) => [
      { edge: keys, tensor: tensor(1, heads, hiddenSize / heads, audioContext) },
      { edge: values, tensor: tensor(1, heads, audioContext, hiddenSize / heads) }
    ])
  }

  begin(): TextState {
    return new CapiText(this.#parts.text, this.tensors)
  }

  [Symbol.dispose](): void {
    for (const { tensor } of this.tensors) tensor[Symbol.dispose]()
  }
}

/** @throws MeshError `engine_failed`, `model_invalid`, `invalid_request`; the reason of `signal` */
export async function loadCapiSpeech(
  init: SpeechInit,
  { gate, tuning }: EngineContext,
  { signal }: AbortOptions = {}
): Promise<SpeechModel> {
  signal?.throwIfAborted()
  checkSpeechLimits(init)
  const runtime = getRuntime()
  await using loading = new AsyncDisposableStack()
  const { threads, spinning, manifest } = init
  const load = async (source: GraphSource<{ readonly bytes: Uint8Array }>): Promise<GraphSession> => {
    const { graph, folder } = source
    const session = await GraphSession.load(runtime, { graph: graph.bytes, folder, threads, spinning, tuning })
    loading.use(session)
    signal?.throwIfAborted()
    await tuning.releaseFilePages(source.files)
    return session
  }
  const audioSource = loading.use(await GraphSource.forAudio(init))
  const audio = await load(audioSource)
  const textSource = loading.use(await GraphSource.forText(init))
  const session = await load(textSource)
  await tuning.releaseFreedMemory()
  const { config } = manifest
  const looks = { edge: textSource.graph.looks, heads: config.alignmentHeads.length, length: config.audioContext }
  const text = { runtime, session, edges: textSource.graph, shape: textShapeOf(config), looks }
  const graphs = new CapiSpeech({ runtime, config, audio, text, audioSource, textSource })
  const model = new WholeSpeechModel(init, graphs, gate)
  loading.move()
  return model
}
