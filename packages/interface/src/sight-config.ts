import { z } from 'zod'
import { LOOKED_AT_SIDE_MAX, towerSchema } from './blip-config.ts'
import { layerFiles } from './weight-file.ts'

const size = z.int().positive()
const ofChannels = z.tuple([z.number(), z.number(), z.number()])

/** Pieces a side that a picture is cut into at the most, so that there is a special token for the place of each. */
const PIECES_A_SIDE_MAX = 16

/**
 * Sizes and settings of what looks at pictures before a decoder reads them: Idefics 3 (Laurençon et al., arXiv:2408.12637), which
 * SmolVLM has too. A picture is cut into square pieces; each, and the whole picture as one more, becomes so many states that take
 * the place of tokens.
 */
export const sightConfigSchema = z
  .object({
    /** Pixels a side of a piece. */
    imageSize: size.max(LOOKED_AT_SIDE_MAX),
    /** Pixels a side of a patch. */
    patchSize: size.max(LOOKED_AT_SIDE_MAX),
    /** Patches a side that become one state. */
    shuffle: size.max(64),
    /** Pixels of the longer side that a picture is brought to before it is cut. */
    longestEdge: size.max(4096),
    /** Taken from each channel of a picture, from 0 to 1. */
    mean: ofChannels,
    /** What is left is divided by it. */
    deviation: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
    tower: towerSchema,
    /** The token in whose place a state is read. */
    imageToken: z.int().nonnegative().max(4_194_303)
  })
  .superRefine(({ imageSize, patchSize, shuffle, longestEdge }, { addIssue }) => {
    const patches = imageSize / patchSize
    if (!Number.isInteger(patches) || patches % shuffle !== 0) {
      const message = `a side of ${imageSize} pixels does not divide into patches of ${patchSize} and these by ${shuffle}`
      addIssue({ code: 'custom', path: ['patchSize'], message })
    }
    if (longestEdge > PIECES_A_SIDE_MAX * imageSize) {
      const message = `a picture of ${longestEdge} pixels a side has over ${PIECES_A_SIDE_MAX} pieces of ${imageSize}`
      addIssue({ code: 'custom', path: ['longestEdge'], message })
    }
  })
export type SightConfig = z.infer<typeof sightConfigSchema>

/**
 * What looks at pictures in a manifest.
 *
 * Tensor names of the first file: `patch` (`[out, 3 · height · width]`) and `seen_norm`, each with its `…_bias`, `places`,
 * `connector` | of each layer's `attention_norm`, `qkv`, `output`, `feed_forward_norm`, `up`, `down`, each with its `…_bias`.
 */
export const sightSchema = z
  .object({ config: sightConfigSchema, files: layerFiles })
  .refine(({ config, files }) => files.length === 1 + config.tower.layerCount, {
    message: 'what looks at pictures has a weight file for each layer, and one for what is no layer',
    path: ['files']
  })
export type ManifestSight = z.infer<typeof sightSchema>

/** Pieces of all pictures of one request. */
export const PICTURE_PIECES_MAX = 64

/** Patches of a piece. */
export function patchCount({ imageSize, patchSize }: Pick<SightConfig, 'imageSize' | 'patchSize'>): number {
  return (imageSize / patchSize) ** 2
}

/** States that a piece becomes, each in the place of a token. */
export function statesOfPiece(config: Pick<SightConfig, 'imageSize' | 'patchSize' | 'shuffle'>): number {
  return patchCount(config) / config.shuffle ** 2
}

/** Bytes of a piece: red, green and blue of each pixel. */
export function pieceBytes({ imageSize }: Pick<SightConfig, 'imageSize'>): number {
  return 3 * imageSize ** 2
}
