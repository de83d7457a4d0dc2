import { type AbortOptions, type BarkConfig, frameSamples } from '@resultity/interface'
import type { BarkCodecGraph } from '../graph/codec-graph.ts'
import type { BarkFineGraph } from '../graph/fine-graph.ts'
import type { BarkRuns, WrittenTokens } from './bark-runs.ts'

/** A graph that keeps nothing, in some runtime. */
export interface LoadedGraph<Edges> {
  readonly edges: Edges
  readonly runs: {
    run(
      inputs: readonly { readonly edge: string; readonly data: Int32Array; readonly shape: readonly number[] }[],
      outputs: readonly { readonly edge: string; readonly shape: readonly number[] }[],
      options: AbortOptions
    ): Promise<readonly Float32Array[]>
  }
}

/** The graphs of a Bark, loaded by some runtime. */
export interface LoadedBark {
  begin(part: 'semantic' | 'coarse'): WrittenTokens
  readonly fine: LoadedGraph<Pick<BarkFineGraph, 'rows' | 'answers' | 'logits'>>
  readonly codec: LoadedGraph<Pick<BarkCodecGraph, 'rows' | 'samples'>>
}

/** Runs of a Bark's graphs: what each reads, and how large is what it gives. */
export function graphRuns(
  { fine: { vocabularySize: size, codebookCount }, ...config }: BarkConfig,
  loaded: LoadedBark
): BarkRuns {
  const { fine, codec } = loaded
  return {
    begin: part => loaded.begin(part),
    refine: async (rows, books, options) => {
      const frames = rows.length / books
      const answers = Int32Array.from({ length: size }, (_, code) => (books - 1) * size + code)
      const inputs = [
        { edge: fine.edges.rows, data: rows, shape: [frames, books] },
        { edge: fine.edges.answers, data: answers, shape: [size] }
      ]
      const outputs = [{ edge: fine.edges.logits, shape: [frames, size] }]
      const [logits = new Float32Array()] = await fine.runs.run(inputs, outputs, options)
      return logits
    },
    sound: async (rows, options) => {
      const frames = rows.length / codebookCount
      const inputs = [{ edge: codec.edges.rows, data: rows, shape: [frames, codebookCount] }]
      const outputs = [{ edge: codec.edges.samples, shape: [1, 1, frames * frameSamples(config)] }]
      const [samples = new Float32Array()] = await codec.runs.run(inputs, outputs, options)
      return samples
    }
  }
}
