import type { AbortOptions } from '@resultity/interface'
import {
  type BarkWrittenGraph,
  barkFiles,
  buildBarkCodecGraph,
  buildBarkFineGraph,
  buildBarkWrittenGraph,
  graphRuns,
  type WrittenTokens
} from '@resultity/voice'
import type { BarkGraphs, BarkInit } from './bark-voice.ts'
import type { BuiltSource, TensorGraph } from './diffusion-graphs.ts'
import { GraphSource } from './graph-source.ts'
import type { TextShape, TextState } from './text-state.ts'

/** A graph that writes tokens, loaded by some runtime. */
export interface TokenWriter extends AsyncDisposable {
  begin(): TextState
}

/** How some runtime loads graphs. */
export interface BarkLoaders {
  writer(source: GraphSource<BarkWrittenGraph>, shape: TextShape): Promise<TokenWriter>
  graph(source: BuiltSource): Promise<TensorGraph>
}

/**
 * Builds the graphs and loads them, one after the other.
 *
 * @throws MeshError `engine_failed`, `model_invalid`; the reason of `signal`; nothing is left loaded
 */
export async function loadBarkGraphs(init: BarkInit, load: BarkLoaders, { signal }: AbortOptions): Promise<BarkGraphs> {
  await using loading = new AsyncDisposableStack()
  const { manifest } = init
  const { config } = manifest
  const open = async <Edges extends { readonly bytes: Uint8Array }>(
    part: Parameters<typeof barkFiles>[1],
    build: (graph: Parameters<typeof buildBarkFineGraph>[0]) => Edges
  ): Promise<GraphSource<Edges>> => {
    signal?.throwIfAborted()
    return loading.use(await GraphSource.forComponent(init, barkFiles(manifest, part), build))
  }
  const writer = async (part: 'semantic' | 'coarse', vocabularySize: number): Promise<TokenWriter> => {
    const source = await open(part, graph => buildBarkWrittenGraph(graph, part))
    return loading.use(
      await load.writer(source, { ...config[part], textContext: config[part].context, vocabularySize })
    )
  }
  const writers = {
    semantic: await writer('semantic', config.semantic.outputVocabularySize),
    coarse: await writer('coarse', config.coarse.vocabularySize)
  }
  const fine = await open('fine', buildBarkFineGraph)
  const fineRuns = loading.use(await load.graph(fine))
  const codec = await open('codec', buildBarkCodecGraph)
  const codecRuns = loading.use(await load.graph(codec))
  signal?.throwIfAborted()
  const loaded = loading.move()
  const runs = graphRuns(config, {
    begin: part => writtenTokens(writers[part].begin()),
    fine: { edges: fine.graph, runs: fineRuns },
    codec: { edges: codec.graph, runs: codecRuns }
  })
  return { runs, [Symbol.asyncDispose]: () => loaded.disposeAsync() }
}

function writtenTokens(state: TextState): WrittenTokens {
  return {
    run: async (tokens, position, options, beside) => {
      const run = { tokens, position, firstRow: tokens.length - 1, needLooks: false }
      return (await state.run(beside === undefined ? run : { ...run, beside }, options)).logits
    },
    [Symbol.dispose]: () => state[Symbol.dispose]()
  }
}
