import { z } from 'zod'
import { kokoroConfigSchema, piperConfigSchema, styleBytes } from './voice-config.ts'
import { weightFileSchema } from './weight-file.ts'

/**
 * A voice of Piper: a model that says texts. Its graph and its weights are one ONNX file, as its publisher made it, and the only
 * layer. It is served whole, by one node.
 */
export const piperManifestSchema = z.object({
  version: z.literal(1),
  name: z.string().min(1).max(256),
  architecture: z.literal('piper'),
  config: piperConfigSchema,
  layers: z.array(weightFileSchema).length(1)
})
export interface PiperManifest extends z.infer<typeof piperManifestSchema> {}

/** Kokoro: a model with several voices. Its graph and its weights are one ONNX file, as with Piper, and the only layer. */
export const kokoroManifestSchema = z
  .object({
    version: z.literal(1),
    name: z.string().min(1).max(256),
    architecture: z.literal('kokoro'),
    config: kokoroConfigSchema,
    layers: z.array(weightFileSchema).length(1),
    /** The speakers' tables one after the other, f32 `[speakers, styleRows, styleSize]`. */
    styles: weightFileSchema
  })
  .refine(({ styles, config }) => styles.bytes === styleBytes(config), {
    message: 'the file of styles has a table for each speaker',
    path: ['styles']
  })
export interface KokoroManifest extends z.infer<typeof kokoroManifestSchema> {}

export type VoiceManifest = PiperManifest | KokoroManifest
