import {
  type DiffusionManifest,
  type DiffusionParts,
  modelInvalid,
  type PriorConfig,
  partFiles,
  type WeightFile
} from '@resultity/interface'
import { ElementType, type GraphWriter } from '@resultity/onnx-graph'
import { LocatedWeights } from './weights.ts'

export interface GraphInit {
  readonly manifest: DiffusionManifest
  /** Name of the weight file, relative to the directory the graph is loaded from. */
  weightLocation(file: WeightFile): string
  /** Edges of pixels, by their blocks' paths, that are outputs too: for comparison with a reference. Default: none. */
  readonly watched?: readonly string[]
}

/** Components that a graph is made for; a text encoder is its index. */
export type Part = Exclude<keyof DiffusionParts<unknown>, 'textEncoders'> | number

/** The weight files of one component. */
export function filesOf({ manifest }: Pick<GraphInit, 'manifest'>, part: Part): readonly WeightFile[] {
  const files = partFiles(manifest)
  return typeof part === 'number' ? (files.textEncoders[part] ?? []) : files[part]
}

export function weightsOf(init: GraphInit, graph: GraphWriter, part: Part): LocatedWeights {
  return new LocatedWeights({ graph, files: filesOf(init, part), weightLocation: file => init.weightLocation(file) })
}

export function addWatched(graph: GraphWriter, watched: readonly string[] = []): void {
  for (const edge of watched) {
    graph.output(edge, ElementType.float32, [1, `${edge}.channels`, `${edge}.height`, `${edge}.width`])
  }
}

/** @throws MeshError `model_invalid` for a model without one */
export function priorOf({ manifest }: Pick<GraphInit, 'manifest'>): PriorConfig {
  const { prior } = manifest.config
  if (prior !== undefined) return prior
  throw modelInvalid(manifest.name, 'has no prior')
}
