import {
  buildClipSightGraph,
  buildDenoiserGraph,
  buildPictureDecoderGraph,
  buildPictureEncoderGraph,
  buildPriorGraph,
  buildTextEncoderGraph,
  type DenoiserGraph,
  type GraphInit,
  type PictureDecoderGraph,
  type PictureEncoderGraph,
  type PriorGraph,
  type TextEncoderGraph
} from '@resultity/diffusion-model'
import {
  type AbortOptions,
  allFinite,
  type DiffusionParts,
  MeshError,
  partFiles,
  sectionsWithin,
  type WeightFile
} from '@resultity/interface'
import { GraphSource } from './graph-source.ts'
import type { DiffusionInit } from './port.ts'

/** What a run reads on one edge. */
export interface RunInput {
  readonly edge: string
  readonly data: Float32Array | Int32Array
  readonly shape: readonly number[]
}

/** What a run gives on one edge, f32. */
export interface RunOutput {
  readonly edge: string
  readonly shape: readonly number[]
}

/** A graph in some runtime: what an engine adds to `WholeDiffusionModel`. One run at a time. */
export interface TensorGraph extends AsyncDisposable {
  /** @returns numbers of each of `outputs`, the caller's own */
  run(
    inputs: readonly RunInput[],
    outputs: readonly RunOutput[],
    options: AbortOptions
  ): Promise<readonly Float32Array[]>
}

/** A component, and the names of its edges. */
export interface LoadedPart<Edges> {
  readonly edges: Edges
  readonly runs: TensorGraph
}

/** Components of a model that draws pictures, loaded: undefined, and no text encoder, is what another node has. */
export interface DiffusionGraphs extends AsyncDisposable {
  readonly textEncoders: readonly LoadedPart<TextEncoderGraph>[]
  readonly denoiser: LoadedPart<DenoiserGraph> | undefined
  readonly decoder: LoadedPart<PictureDecoderGraph> | undefined
  readonly encoder: LoadedPart<PictureEncoderGraph> | undefined
  /** Of a model that draws embeddings, with the one that stands for no picture. */
  readonly prior: (LoadedPart<PriorGraph> & { readonly nothing: Float32Array }) | undefined
}

/** A graph that was built, and where its weights are. */
export type BuiltSource = GraphSource<{ readonly bytes: Uint8Array }>

/**
 * Builds the graphs of the components in the range and loads them, one after the other.
 *
 * @param load loads one in the runtime
 * @throws MeshError `engine_failed`, `model_invalid`; the reason of `signal`; nothing is left loaded
 */
export async function loadDiffusionGraphs(
  init: DiffusionInit,
  load: (source: BuiltSource) => Promise<TensorGraph>,
  { signal }: AbortOptions
): Promise<DiffusionGraphs> {
  await using loading = new AsyncDisposableStack()
  const open = async <Edges extends { readonly bytes: Uint8Array }>(
    files: readonly WeightFile[],
    build: (init: GraphInit) => Edges
  ): Promise<LoadedPart<Edges>> => {
    signal?.throwIfAborted()
    const source = loading.use(await GraphSource.forComponent(init, files, build))
    return { edges: source.graph, runs: loading.use(await load(source)) }
  }
  const files: DiffusionParts<readonly WeightFile[]> = partFiles(init.manifest)
  const sections = sectionsWithin(init.manifest, init.range ?? { first: 0, end: init.manifest.layers.length })
  const nothing = await lookAtNothing(init, load, { ...(signal && { signal }) })
  const textEncoders: LoadedPart<TextEncoderGraph>[] = []
  for (const [index, own] of sections.has('text') ? files.textEncoders.entries() : []) {
    textEncoders.push(await open(own, graph => buildTextEncoderGraph(graph, index)))
  }
  const denoiser = sections.has('denoiser') ? await open(files.denoiser, buildDenoiserGraph) : undefined
  const codes = sections.has('coder')
  const decoder = codes ? await open(files.decoder, buildPictureDecoderGraph) : undefined
  const encoder = codes ? await open(files.encoder, buildPictureEncoderGraph) : undefined
  const prior = nothing && { ...(await open(files.prior, buildPriorGraph)), nothing }
  signal?.throwIfAborted()
  const loaded = loading.move()
  return { textEncoders, denoiser, decoder, encoder, prior, [Symbol.asyncDispose]: () => loaded.disposeAsync() }
}

/**
 * Of a model that draws embeddings, that of a picture without light. What looks at pictures has more weights than all the rest, and is
 * asked this once: it is gone before the rest is loaded.
 */
async function lookAtNothing(
  init: DiffusionInit,
  load: (source: BuiltSource) => Promise<TensorGraph>,
  options: AbortOptions
): Promise<Float32Array | undefined> {
  const { prior } = init.manifest.config
  if (prior === undefined) return undefined
  options.signal?.throwIfAborted()
  await using source = await GraphSource.forComponent(init, partFiles(init.manifest).sight, buildClipSightGraph)
  await using sight = await load(source)
  const { pictureSize: side } = prior.sight
  const pixels = { edge: source.graph.pixels, data: new Float32Array(3 * side * side), shape: [1, 3, side, side] }
  const embedding = { edge: source.graph.embedding, shape: [1, prior.embeddingSize] }
  const [nothing = new Float32Array()] = await sight.run([pixels], [embedding], options)
  if (allFinite(nothing)) return nothing
  throw new MeshError('engine_failed', 'what looks at pictures gave what are no numbers', {
    hint: 'its weights may be damaged; import the model again',
    details: { part: 'sight' }
  })
}
