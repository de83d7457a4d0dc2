import type { CaptionTextGraph, SightGraph } from '@resultity/blip'
import { type AbortOptions, type Captioner, MeshError } from '@resultity/interface'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import type { CaptionGraphs, Look } from '../caption-graphs.ts'
import { checkPicturesMax, WholeCaptioner } from '../captioner.ts'
import type { EngineContext } from '../engine-context.ts'
import { GraphSource } from '../graph-source.ts'
import type { CaptionerInit } from '../port.ts'
import type { TextSubject } from '../text-state.ts'
import { createNodeSession } from './node-runtime.ts'
import { type Feeds, NodeText, type NodeTextParts, tensorOf } from './written-text.ts'

interface NodeCaptionParts {
  readonly init: CaptionerInit
  readonly sight: InferenceSession
  readonly text: NodeTextParts
  readonly sightSource: GraphSource<SightGraph>
  readonly textSource: GraphSource<CaptionTextGraph>
}

/** Both graphs on onnxruntime-node's own API: on the event loop, and a run is not to be stopped. */
class NodeCaptioner implements CaptionGraphs {
  readonly #parts: NodeCaptionParts

  constructor(parts: NodeCaptionParts) {
    this.#parts = parts
  }

  async look({ pixels, question }: Look, { signal }: AbortOptions): Promise<TextSubject> {
    const { sight, sightSource, init } = this.#parts
    const { graph } = sightSource
    const { imageSize } = init.manifest.config
    const feeds: Feeds = { [graph.pixels]: new Tensor('float32', pixels, [1, 3, imageSize, imageSize]) }
    if (graph.question !== undefined && question !== undefined) {
      const places = BigInt64Array.from(question, (_, index) => BigInt(index))
      feeds[graph.question.tokens] = new Tensor('int32', Int32Array.from(question), [1, question.length])
      feeds[graph.question.positions] = new Tensor('int64', places, [question.length])
    }
    const results = await sight.run(feeds)
    signal?.throwIfAborted()
    const cross: Feeds = {}
    for (const edge of graph.cross.flatMap(({ keys, values }) => [keys, values])) cross[edge] = tensorOf(results, edge)
    return { begin: () => new NodeText(this.#parts.text, cross), [Symbol.dispose]: () => undefined }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { sight, text, sightSource, textSource } = this.#parts
    await sight.release()
    await text.session.release()
    await sightSource[Symbol.asyncDispose]()
    await textSource[Symbol.asyncDispose]()
  }
}

/** @throws MeshError `engine_failed`, `model_invalid`, `invalid_request`; the reason of `signal` */
export async function loadNodeCaptioner(
  init: CaptionerInit,
  { gate, tuning }: EngineContext,
  { signal }: AbortOptions = {}
): Promise<Captioner> {
  signal?.throwIfAborted()
  checkPicturesMax(init)
  await using loading = new AsyncDisposableStack()
  try {
    const load = async (source: GraphSource<{ readonly bytes: Uint8Array }>): Promise<InferenceSession> => {
      const session = await createNodeSession(source, init, tuning)
      loading.defer(() => session.release())
      return session
    }
    const sightSource = loading.use(await GraphSource.forSight(init))
    const textSource = loading.use(await GraphSource.forCaption(init))
    const { text: tower, textContext, vocabularySize } = init.manifest.config
    const sight = await load(sightSource)
    const shape = { ...tower, textContext, vocabularySize }
    const text = { session: await load(textSource), edges: textSource.graph, shape }
    const parts = { init, sight, text, sightSource, textSource }
    const model = new WholeCaptioner(init, new NodeCaptioner(parts), gate)
    loading.move()
    return model
  } catch (error) {
    throw MeshError.from(error, 'engine_failed')
  }
}
