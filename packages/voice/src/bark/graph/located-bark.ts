import type { BarkConfig, BarkManifest, WeightFile } from '@resultity/interface'
import type { LocatedFile } from '@resultity/onnx-graph'

export interface BarkGraphInit {
  readonly manifest: BarkManifest
  /** Name of the weight file, relative to the directory the graph is loaded from. */
  weightLocation(file: WeightFile): string
  /** Also gives the states behind each layer, for comparison with a reference. Default false. */
  readonly everyState?: boolean
}

/** A transformer of Bark. */
export type BarkPart = 'semantic' | 'coarse' | 'fine'

/** LayerNorm's, of all parts. */
export const EPSILON = 1e-5

/** The weight files of one part: those of its ends, and of its layers; of the codec, one. */
export function barkFiles({ layers, config }: BarkManifest, part: BarkPart | 'codec'): readonly WeightFile[] {
  const first = firstFile(config, part)
  return layers.slice(first, part === 'codec' ? first + 1 : first + 1 + config[part].layerCount)
}

function firstFile({ semantic, coarse, fine }: BarkConfig, part: BarkPart | 'codec'): number {
  const before = { semantic: [], coarse: [semantic], fine: [semantic, coarse], codec: [semantic, coarse, fine] }[part]
  return before.reduce((sum, { layerCount }) => sum + 1 + layerCount, 0)
}

/** The files of a part as a graph finds them. */
export function locatedPart(
  { manifest, weightLocation }: BarkGraphInit,
  part: BarkPart | 'codec'
): { readonly ends: LocatedFile; readonly layers: readonly LocatedFile[] } {
  const locate = (file: WeightFile, prefix: string): LocatedFile => ({ file, location: weightLocation(file), prefix })
  const [ends, ...layers] = barkFiles(manifest, part)
  if (ends === undefined) throw new Error(`${manifest.name} has no file of its ${part} part`)
  return { ends: locate(ends, 'ends_'), layers: layers.map((file, index) => locate(file, `layer_${index}_`)) }
}
