import {
  buildDenoiserGraph,
  buildPictureDecoderGraph,
  buildPictureEncoderGraph,
  buildTextEncoderGraph,
  type DenoiserGraph,
  type GraphInit,
  type PictureDecoderGraph,
  type PictureEncoderGraph,
  type TextEncoderGraph
} from '@resultity/diffusion-model'
import {
  type AbortOptions,
  type DiffusionParts,
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
  const textEncoders: LoadedPart<TextEncoderGraph>[] = []
  for (const [index, own] of sections.has('text') ? files.textEncoders.entries() : []) {
    textEncoders.push(await open(own, graph => buildTextEncoderGraph(graph, index)))
  }
  const denoiser = sections.has('denoiser') ? await open(files.denoiser, buildDenoiserGraph) : undefined
  const codes = sections.has('coder')
  const decoder = codes ? await open(files.decoder, buildPictureDecoderGraph) : undefined
  const encoder = codes ? await open(files.encoder, buildPictureEncoderGraph) : undefined
  signal?.throwIfAborted()
  const loaded = loading.move()
  return { textEncoders, denoiser, decoder, encoder, [Symbol.asyncDispose]: () => loaded.disposeAsync() }
}
