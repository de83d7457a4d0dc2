import { z } from 'zod'

/** How tokens are drawn; defaults are `GenerationConfig`'s. */
const sampling = {
  do_sample: z.boolean().default(false),
  temperature: z.number().nullish(),
  top_k: z.number().nullish(),
  top_p: z.number().nullish()
}

/** Transformers leaves out of a file what is its own default. */
const TOP_K = 50

/** The fields of a `generation_config.json`; defaults are those of Bark's own classes. */
export const generationSchema = z.looseObject({
  semantic_config: z
    .looseObject({
      ...sampling,
      eos_token_id: z.number().default(10_000),
      max_new_tokens: z.number().default(768),
      text_encoding_offset: z.number().default(10_048),
      text_pad_token: z.number().default(129_595),
      semantic_infer_token: z.number().default(129_599),
      semantic_vocab_size: z.number().default(10_000),
      max_input_semantic_length: z.number().default(256),
      semantic_rate_hz: z.number().default(49.9),
      min_eos_p: z.number().nullish()
    })
    .prefault({}),
  coarse_acoustics_config: z
    .looseObject({
      ...sampling,
      coarse_semantic_pad_token: z.number().default(12_048),
      coarse_rate_hz: z.number().default(75),
      n_coarse_codebooks: z.number().default(2),
      coarse_infer_token: z.number().default(12_050),
      max_coarse_input_length: z.number().default(256),
      max_coarse_history: z.number().default(630),
      sliding_window_len: z.number().default(60)
    })
    .prefault({}),
  fine_acoustics_config: z
    .looseObject({
      temperature: z.number().nullish(),
      max_fine_history_length: z.number().default(512),
      max_fine_input_length: z.number().default(1024)
    })
    .prefault({})
})
type Generation = z.infer<typeof generationSchema>

/** Of tokens that are written one by one; a model that does not sample takes the most likely one. */
export function semanticSampling(
  part: Generation['semantic_config'] | Generation['coarse_acoustics_config']
): Record<string, number> {
  return {
    temperature: part.do_sample ? (part.temperature ?? 1) : 0,
    topK: part.top_k ?? TOP_K,
    topP: part.top_p ?? 1
  }
}

/** The fine transformer takes the most likely code, unless a temperature is set that is not 1. */
export function fineGeneration(part: Generation['fine_acoustics_config']): Record<string, number> {
  const { temperature } = part
  return {
    historyLength: part.max_fine_history_length,
    inputLength: part.max_fine_input_length,
    temperature: temperature === null || temperature === undefined || temperature === 1 ? 0 : temperature
  }
}
