import { z } from 'zod'
import { diffusionConfigSchema } from './diffusion-config.ts'
import { LAYERS_MAX, type LayerRange } from './layer-range.ts'
import { blobRefSchema, layerFiles, type WeightFile } from './weight-file.ts'

const size = z.int().positive()

/** How an encoder of CLIP reads text. */
const clipTokenizerSchema = z.object({
  /** A `vocab.json`: the id of each token. */
  vocabulary: blobRefSchema,
  /** A `merges.txt`: pairs of tokens, those that are put together first before others. */
  merges: blobRefSchema
})
export type ClipTokenizerRefs = z.infer<typeof clipTokenizerSchema>

const fileCount = size.max(LAYERS_MAX)
const diffusionPartsSchema = z.object({
  textEncoders: z.array(fileCount).min(1).max(2),
  denoiser: fileCount,
  /** From latents to pixels. */
  decoder: fileCount,
  /** From pixels to latents. */
  encoder: fileCount,
  /** From a text to the embedding of a picture, and from a picture to its embedding: of a model with a prior. */
  prior: fileCount.optional(),
  sight: fileCount.optional()
})

/**
 * A model that draws pictures of texts. Its layers are files, and each component has files of its own: `parts` says how many, in
 * this order. So a node reads only what it serves.
 *
 * Tensor names are those of `packages/diffusion-model`: matrices are `[out, in]`, and a convolution's has the taps of each input
 * side by side, `[out, in · height · width]`.
 */
export const diffusionManifestSchema = z
  .object({
    version: z.literal(1),
    name: z.string().min(1).max(256),
    architecture: z.literal('diffusion'),
    config: diffusionConfigSchema,
    /** One for each text encoder. */
    tokenizers: z.array(clipTokenizerSchema).min(1).max(2),
    parts: diffusionPartsSchema,
    layers: layerFiles
  })
  .refine(({ config, tokenizers }) => tokenizers.length === config.textEncoders.length, {
    message: 'the manifest lists as many tokenizers as the model has text encoders',
    path: ['tokenizers']
  })
  .refine(({ config, parts }) => parts.textEncoders.length === config.textEncoders.length, {
    message: 'the manifest has files of as many text encoders as the model has',
    path: ['parts', 'textEncoders']
  })
  .refine(
    ({ config, parts }) =>
      [parts.prior, parts.sight].every(part => (part === undefined) === (config.prior === undefined)),
    {
      message: 'the manifest has files of a prior where the model has one',
      path: ['parts', 'prior']
    }
  )
  .refine(({ parts, layers }) => partRanges(parts).sight.end === layers.length, {
    message: 'the manifest lists as many weight files as its parts have',
    path: ['layers']
  })
export interface DiffusionManifest extends z.infer<typeof diffusionManifestSchema> {}

/** Which of a manifest's layers hold what. */
export interface DiffusionParts<Part> {
  readonly textEncoders: readonly Part[]
  readonly denoiser: Part
  readonly decoder: Part
  readonly encoder: Part
  /** Empty where the model has no prior. */
  readonly prior: Part
  readonly sight: Part
}

/** The layers of each component. */
export function partRanges(parts: z.infer<typeof diffusionPartsSchema>): DiffusionParts<LayerRange> {
  let end = 0
  const next = (count: number): LayerRange => {
    end += count
    return { first: end - count, end }
  }
  return {
    textEncoders: parts.textEncoders.map(next),
    denoiser: next(parts.denoiser),
    decoder: next(parts.decoder),
    encoder: next(parts.encoder),
    prior: next(parts.prior ?? 0),
    sight: next(parts.sight ?? 0)
  }
}

/** The weight files of each component. */
export function partFiles({ parts, layers }: DiffusionManifest): DiffusionParts<readonly WeightFile[]> {
  const filesOf = ({ first, end }: LayerRange): readonly WeightFile[] => layers.slice(first, end)
  const { textEncoders, ...others } = partRanges(parts)
  return {
    textEncoders: textEncoders.map(filesOf),
    denoiser: filesOf(others.denoiser),
    decoder: filesOf(others.decoder),
    encoder: filesOf(others.encoder),
    prior: filesOf(others.prior),
    sight: filesOf(others.sight)
  }
}

/** What different nodes may serve of a model: all its text encoders, the denoiser, what makes pixels of latents and the reverse. */
export const diffusionSections = ['text', 'denoiser', 'coder'] as const
export type DiffusionSection = (typeof diffusionSections)[number]

/** The layers of each section: they stand one behind the other. */
export function sectionRanges({
  parts
}: Pick<DiffusionManifest, 'parts'>): Readonly<Record<DiffusionSection, LayerRange>> {
  const { denoiser, encoder } = partRanges(parts)
  return {
    text: { first: 0, end: denoiser.first },
    denoiser,
    coder: { first: denoiser.end, end: encoder.end }
  }
}

/** The sections that lie in `range`, whole. */
export function sectionsWithin(
  manifest: Pick<DiffusionManifest, 'parts'>,
  range: LayerRange
): ReadonlySet<DiffusionSection> {
  const ranges = sectionRanges(manifest)
  const isWithin = (section: DiffusionSection): boolean =>
    range.first <= ranges[section].first && ranges[section].end <= range.end
  return new Set(diffusionSections.filter(isWithin))
}
