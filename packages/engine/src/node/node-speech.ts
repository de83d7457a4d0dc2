import { type AbortOptions, MeshError } from '@resultity/interface'
import type { AudioGraph, TextGraph } from '@resultity/whisper'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import type { EngineContext } from '../engine-context.ts'
import { GraphSource } from '../graph-source.ts'
import type { SpeechInit, SpeechModel } from '../port.ts'
import { type SpeechGraphs, textShapeOf } from '../speech-graphs.ts'
import { checkSpeechLimits, WholeSpeechModel } from '../speech-model.ts'
import type { TextSubject } from '../text-state.ts'
import { createNodeSession } from './node-runtime.ts'
import { type Feeds, NodeText, type NodeTextParts, tensorOf } from './written-text.ts'

interface NodeSpeechParts {
  readonly init: SpeechInit
  readonly audio: InferenceSession
  readonly text: NodeTextParts
  readonly audioSource: GraphSource<AudioGraph>
  readonly textSource: GraphSource<TextGraph>
}

/** Both graphs of a speech model on onnxruntime-node's own API: on the event loop, and a run is not to be stopped. */
class NodeSpeech implements SpeechGraphs {
  readonly #parts: NodeSpeechParts

  constructor(parts: NodeSpeechParts) {
    this.#parts = parts
  }

  async hear(mel: Float32Array, { signal }: AbortOptions): Promise<TextSubject> {
    const { audio, audioSource, init } = this.#parts
    const { graph } = audioSource
    const { melBins, audioContext } = init.manifest.config
    const feeds = { [graph.mel]: new Tensor('float32', mel, [1, melBins, 2 * audioContext]) }
    const results = await audio.run(feeds)
    signal?.throwIfAborted()
    const cross: Feeds = {}
    for (const edge of graph.cross.flatMap(({ keys, values }) => [keys, values])) cross[edge] = tensorOf(results, edge)
    return { begin: () => new NodeText(this.#parts.text, cross), [Symbol.dispose]: () => undefined }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { audio, text, audioSource, textSource } = this.#parts
    await audio.release()
    await text.session.release()
    await audioSource[Symbol.asyncDispose]()
    await textSource[Symbol.asyncDispose]()
  }
}

/** @throws MeshError `engine_failed`, `model_invalid`, `invalid_request`; the reason of `signal` */
export async function loadNodeSpeech(
  init: SpeechInit,
  { gate, tuning }: EngineContext,
  { signal }: AbortOptions = {}
): Promise<SpeechModel> {
  signal?.throwIfAborted()
  checkSpeechLimits(init)
  await using loading = new AsyncDisposableStack()
  try {
    const load = async (source: GraphSource<{ readonly bytes: Uint8Array }>): Promise<InferenceSession> => {
      const session = await createNodeSession(source, init, tuning)
      loading.defer(() => session.release())
      return session
    }
    const audioSource = loading.use(await GraphSource.forAudio(init))
    const textSource = loading.use(await GraphSource.forText(init))
    const audio = await load(audioSource)
    const { graph } = textSource
    const shape = textShapeOf(init.manifest.config)
    const text = { session: await load(textSource), edges: graph, shape, looks: graph.looks }
    const parts = { init, audio, text, audioSource, textSource }
    const model = new WholeSpeechModel(init, new NodeSpeech(parts), gate)
    loading.move()
    return model
  } catch (error) {
    throw MeshError.from(error, 'engine_failed')
  }
}
