import { z } from 'zod'
import { type BarkConfig, barkConfigSchema, promptNumbers } from './bark-config.ts'
import { tokenizerFilesSchema } from './tokenizer-files.ts'
import { layerFiles, weightFileSchema } from './weight-file.ts'

/**
 * Bark: a model with several voices, which reads tokens of a text. It is served whole, by one node.
 *
 * Files, in order, of the semantic, the coarse and the fine transformer each: one of its tables, its last norm and its head; and one
 * for every layer. Behind them, one of the codec.
 *
 * Tensor names: `tokens`, `places`, `last_norm`, `head` (of the fine one, `tokens` has the tables of all codebooks, one after the
 * other, and heads are these) | per layer `attention_norm`, `qkv`, `output`, `feed_forward_norm`, `up`, `down`, each with its
 * `…_bias` | of the codec `codes`, and `first`, `recurrent_N_…`, `up_N`, `unit_N_M_…`, `last`, with their `…_bias`.
 */
export const barkManifestSchema = z
  .object({
    version: z.literal(1),
    name: z.string().min(1).max(256),
    architecture: z.literal('bark'),
    config: barkConfigSchema,
    tokenizer: tokenizerFilesSchema,
    layers: layerFiles,
    /** What voices have said: 16 bits a number, little endian. Absent where there are none. */
    prompts: weightFileSchema.optional()
  })
  .refine(({ layers, config }) => layers.length === barkFileCount(config), {
    message: 'the manifest lists as many weight files as the model has layers',
    path: ['layers']
  })
  .refine(({ prompts, config }) => (prompts?.bytes ?? 0) === promptBytes(config), {
    message: 'the file of prompts has what each voice has said',
    path: ['prompts']
  })
export interface BarkManifest extends z.infer<typeof barkManifestSchema> {}

/** Weight files of a Bark but that of its prompts. */
function barkFileCount({ semantic, coarse, fine }: BarkConfig): number {
  return [semantic, coarse, fine].reduce((sum, { layerCount }) => sum + 1 + layerCount, 1)
}

/** Bytes of what all voices have said. */
export function promptBytes(config: BarkConfig): number {
  return 2 * config.prompts.reduce((sum, prompt) => sum + promptNumbers(config, prompt), 0)
}
