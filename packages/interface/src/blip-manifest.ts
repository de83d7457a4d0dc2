import { z } from 'zod'
import { askedLayerCount, blipConfigSchema } from './blip-config.ts'
import { tokenizerFilesSchema } from './tokenizer-files.ts'
import { layerFiles, weightFileSchema } from './weight-file.ts'

/**
 * A model that says what a picture shows: BLIP's architecture. It is served whole, by one node.
 *
 * Tensor names: `patch` (`[out, 3 · height · width]`) and `seen_norm`, `text_norm`, `turned`, `turned_norm`, `head`, each with its
 * `…_bias`, and `class`, `places`, `tokens`, `text_places`, and of a model that answers `asked_tokens`, `asked_places`,
 * `asked_norm` with its bias; `head` is left out where it is the embedding's matrix | per layer `attention_norm`, `qkv`, `output`,
 * `feed_forward_norm`, `up`, `down`, and of text `cross_norm`, `cross_q`, `cross_kv`, `cross_output`, each with its `…_bias`.
 */
export const captionManifestSchema = z
  .object({
    version: z.literal(1),
    name: z.string().min(1).max(256),
    architecture: z.literal('blip'),
    config: blipConfigSchema,
    tokenizer: tokenizerFilesSchema,
    /** What is no layer's: the patches' convolution, the tables, the last norms and the head. */
    embedding: weightFileSchema,
    /** Those that look at the picture, those that read the question, and those that write. */
    layers: layerFiles
  })
  .refine(
    ({ layers, config }) =>
      layers.length === config.vision.layerCount + askedLayerCount(config) + config.text.layerCount,
    { message: 'the manifest lists as many weight files as the model has layers', path: ['layers'] }
  )
export interface CaptionManifest extends z.infer<typeof captionManifestSchema> {}
