import type { SpeechManifest, WeightFile } from '@resultity/interface'
import type { LocatedFile } from '@resultity/onnx-graph'

export interface WhisperGraphInit {
  readonly manifest: SpeechManifest
  /** Name of the weight file, relative to the directory the graph is loaded from. */
  weightLocation(file: WeightFile): string
}

/** As torch's LayerNorm has it; no Whisper says otherwise. */
export const EPSILON = 1e-5

/** The weight files as a graph finds them, by what they hold. */
export interface LocatedFiles {
  readonly ends: LocatedFile
  readonly encoderLayers: readonly LocatedFile[]
  readonly decoderLayers: readonly LocatedFile[]
}

export function locatedFiles({ manifest, weightLocation }: WhisperGraphInit): LocatedFiles {
  const { embedding, layers, config } = manifest
  const locate = (prefix: string) => (file: WeightFile, index: number) => ({
    file,
    location: weightLocation(file),
    prefix: `${prefix}${index}_`
  })
  return {
    ends: { file: embedding, location: weightLocation(embedding), prefix: 'ends_' },
    encoderLayers: layers.slice(0, config.encoderLayerCount).map(locate('encoder_')),
    decoderLayers: layers.slice(config.encoderLayerCount).map(locate('decoder_'))
  }
}
