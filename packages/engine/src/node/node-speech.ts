import { type AbortOptions, MeshError } from '@resultity/interface'
import type { AudioGraph, TextGraph } from '@resultity/whisper'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import type { EngineContext } from '../engine-context.ts'
import { GraphSource } from '../graph-source.ts'
import type { SpeechInit, SpeechModel } from '../port.ts'
import type { SpeechGraphs, TextRun, TextRunResult, TextState, WindowState } from '../speech-graphs.ts'
import { checkSpeechLimits, WholeSpeechModel } from '../speech-model.ts'
import { createNodeSession } from './node-runtime.ts'

type Feeds = Record<string, Tensor>

interface NodeSpeechParts {
  readonly init: SpeechInit
  readonly audio: InferenceSession
  readonly text: InferenceSession
  readonly audioSource: GraphSource<AudioGraph>
  readonly textSource: GraphSource<TextGraph>
}

/** Both graphs of a speech model on onnxruntime-node's own API: on the event loop, and a run is not to be stopped. */
class NodeSpeech implements SpeechGraphs {
  readonly #parts: NodeSpeechParts

  constructor(parts: NodeSpeechParts) {
    this.#parts = parts
  }

  async hear(mel: Float32Array, { signal }: AbortOptions): Promise<WindowState> {
    const { audio, audioSource, init } = this.#parts
    const { graph } = audioSource
    const { melBins, audioContext } = init.manifest.config
    const feeds = { [graph.mel]: new Tensor('float32', mel, [1, melBins, 2 * audioContext]) }
    const results = await audio.run(feeds)
    signal?.throwIfAborted()
    const cross: Feeds = {}
    for (const edge of graph.cross.flatMap(({ keys, values }) => [keys, values])) cross[edge] = tensorOf(results, edge)
    return { begin: () => new NodeText(this.#parts, cross), [Symbol.dispose]: () => undefined }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { audio, text, audioSource, textSource } = this.#parts
    await audio.release()
    await text.release()
    await audioSource[Symbol.asyncDispose]()
    await textSource[Symbol.asyncDispose]()
  }
}

/** A text that hands its cache in and out of the runtime at every run. */
class NodeText implements TextState {
  readonly #parts: NodeSpeechParts
  readonly #cross: Feeds
  #cache: Tensor[]

  constructor(parts: NodeSpeechParts, cross: Feeds) {
    this.#parts = parts
    this.#cross = cross
    const { textContext, hiddenSize, decoderHeadCount: heads } = parts.init.manifest.config
    this.#cache = parts.textSource.graph.cache.map(
      () =>
        new Tensor('float32', new Float32Array(textContext * hiddenSize), [1, heads, textContext, hiddenSize / heads])
    )
  }

  async run({ tokens, position, firstRow }: TextRun, { signal }: AbortOptions): Promise<TextRunResult> {
    const { text, textSource } = this.#parts
    const { graph } = textSource
    const count = tokens.length
    const positions = BigInt64Array.from(tokens, (_, index) => BigInt(position + index))
    const feeds: Feeds = {
      ...this.#cross,
      [graph.tokens]: new Tensor('int32', Int32Array.from(tokens), [1, count]),
      [graph.positions]: new Tensor('int64', positions, [count]),
      [graph.firstRow]: new Tensor('int64', BigInt64Array.of(BigInt(firstRow)), [1]),
      [graph.lastPosition]: new Tensor('int32', Int32Array.of(position + count - 1), [1]),
      [graph.totalPositions]: new Tensor('int32', Int32Array.of(position + count), [])
    }
    for (const [index, { past }] of graph.cache.entries()) {
      const kept = this.#cache[index]
      if (kept !== undefined) feeds[past] = kept
    }
    const results = await text.run(feeds)
    signal?.throwIfAborted()
    this.#cache = graph.cache.map(({ present }) => tensorOf(results, present))
    return { logits: floatsOf(results, graph.logits), looks: floatsOf(results, graph.looks) }
  }

  /** A run that failed has given nothing back. */
  wipe(): void {}

  [Symbol.dispose](): void {
    this.#cache = []
  }
}

function tensorOf(results: InferenceSession.ReturnType, edge: string): Tensor {
  const tensor = results[edge]
  if (tensor instanceof Tensor) return tensor
  throw new MeshError('engine_failed', `the speech model gave no tensor "${edge}"`)
}

function floatsOf(results: InferenceSession.ReturnType, edge: string): Float32Array {
  const { data } = tensorOf(results, edge)
  if (data instanceof Float32Array) return data
  throw new MeshError('engine_failed', `the speech model gave no f32 "${edge}"`)
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
    const parts = { init, audio: await load(audioSource), text: await load(textSource), audioSource, textSource }
    const model = new WholeSpeechModel(init, new NodeSpeech(parts), gate)
    loading.move()
    return model
  } catch (error) {
    throw MeshError.from(error, 'engine_failed')
  }
}
