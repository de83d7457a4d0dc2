import { askedLayerCount, type CaptionManifest, type WeightFile } from '@resultity/interface'
import type { LocatedFile } from '@resultity/onnx-graph'

export interface BlipGraphInit {
  readonly manifest: CaptionManifest
  /** Name of the weight file, relative to the directory the graph is loaded from. */
  weightLocation(file: WeightFile): string
  /** Also gives the states behind each layer, for comparison with a reference. Default false. */
  readonly everyState?: boolean
}

/** The weight files as a graph finds them, by what they hold. */
export interface LocatedFiles {
  readonly ends: LocatedFile
  /** Layers that look at the picture. */
  readonly looking: readonly LocatedFile[]
  /** Layers that read the question; of a model that answers none, none. */
  readonly asked: readonly LocatedFile[]
  /** Layers that write. */
  readonly writing: readonly LocatedFile[]
}

export function locatedFiles({ manifest, weightLocation }: BlipGraphInit): LocatedFiles {
  const { embedding, layers, config } = manifest
  const locate = (prefix: string) => (file: WeightFile, index: number) => ({
    file,
    location: weightLocation(file),
    prefix: `${prefix}${index}_`
  })
  const lookingEnd = config.vision.layerCount
  const askedEnd = lookingEnd + askedLayerCount(config)
  return {
    ends: { file: embedding, location: weightLocation(embedding), prefix: 'ends_' },
    looking: layers.slice(0, lookingEnd).map(locate('looking_')),
    asked: layers.slice(lookingEnd, askedEnd).map(locate('asked_')),
    writing: layers.slice(askedEnd).map(locate('writing_'))
  }
}
