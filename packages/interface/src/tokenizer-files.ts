import { z } from 'zod'
import { blobRefSchema } from './weight-file.ts'

/** The files beside the weights that say how a model reads and writes text. */
export const tokenizerFilesSchema = z.object({
  /** A Hugging Face `tokenizer.json`. */
  definition: blobRefSchema,
  /** A Hugging Face `tokenizer_config.json`, with `chat_template` where the model has one. */
  config: blobRefSchema,
  endTokenIds: z.array(z.int().nonnegative().max(4_294_967_295)).max(64)
})
