import { type BarkConfig, barkConfigSchema, describeIssues, modelInvalid, safeParse } from '@resultity/interface'
import { z } from 'zod'
import { licenseOf } from '../../import/voice-file.ts'
import type { VoicePrompt } from './bark-source.ts'
import { fineGeneration, generationSchema, semanticSampling } from './generation-config.ts'

/** A text, and the file that it is read from. */
export interface NamedText {
  readonly file: string
  readonly text: string
}

/** Sizes of a transformer; defaults are `BarkSubModelConfig`'s. */
const transformer = {
  block_size: z.number().default(1024),
  num_layers: z.number().default(12),
  num_heads: z.number().default(12),
  hidden_size: z.number().default(768),
  input_vocab_size: z.number().default(10_048),
  output_vocab_size: z.number().default(10_048)
}

/** The fields of a `config.json` that decide what a Bark computes. */
const configSchema = z.looseObject({
  model_type: z.literal('bark'),
  semantic_config: z.looseObject(transformer).prefault({}),
  coarse_acoustics_config: z.looseObject(transformer).prefault({}),
  fine_acoustics_config: z
    .looseObject({
      ...transformer,
      n_codes_total: z.number().default(8),
      n_codes_given: z.number().default(1),
      tie_word_embeddings: z.boolean().default(true)
    })
    .prefault({}),
  /** Defaults are `EncodecConfig`'s. */
  codec_config: z
    .looseObject({
      sampling_rate: z.number().default(24_000),
      audio_channels: z.number().default(1),
      normalize: z.boolean().default(false),
      norm_type: z.string().default('weight_norm'),
      use_causal_conv: z.boolean().default(true),
      pad_mode: z.string().default('reflect'),
      hidden_size: z.number().default(128),
      codebook_size: z.number().default(1024),
      codebook_dim: z.number().nullish(),
      num_filters: z.number().default(32),
      kernel_size: z.number().default(7),
      last_kernel_size: z.number().default(7),
      residual_kernel_size: z.number().default(3),
      dilation_growth_rate: z.number().default(2),
      upsampling_ratios: z.array(z.number()).default([8, 5, 4, 2]),
      num_residual_layers: z.number().default(1),
      num_lstm_layers: z.number().default(2),
      compress: z.number().default(2),
      trim_right_ratio: z.number().default(1),
      use_conv_shortcut: z.boolean().default(true)
    })
    .prefault({})
})
type PublishedConfig = z.infer<typeof configSchema>

export interface BarkTexts {
  readonly model: NamedText
  /** The text of its card. */
  readonly card: string | undefined
  /** What says how tokens are written. */
  readonly generation: NamedText | undefined
}

/**
 * The checked configuration.
 *
 * @throws MeshError `model_invalid` for a field that is wrong and for anything that would compute something else
 */
export function barkConfig(
  { model, generation, card }: BarkTexts,
  readVoices: (config: BarkConfig) => readonly VoicePrompt[]
): BarkConfig {
  const found = parse(model, configSchema)
  refuseUnserved(model.file, found)
  const written = parse(generation ?? { file: 'generation_config.json', text: '{}' }, generationSchema)
  const config = checked(model.file, candidateOf(found, written))
  const voices = readVoices(config)
  return checked(model.file, {
    ...config,
    ...licenseOf(card),
    language: voices[0]?.language ?? 'en',
    prompts: voices.map(({ semantic, coarse, fine }) => ({
      semantic: semantic.length,
      coarse: coarse[0]?.length ?? 0,
      fine: fine[0]?.length ?? 0
    })),
    speakers: Object.fromEntries(voices.map(({ name }, index) => [name, index])),
    languages: Object.fromEntries(voices.map(({ name, language }) => [name, language]))
  })
}

function candidateOf(found: PublishedConfig, written: z.infer<typeof generationSchema>): Record<string, unknown> {
  const {
    semantic_config: semantic,
    coarse_acoustics_config: coarse,
    fine_acoustics_config: fine,
    codec_config: codec
  } = found
  const { semantic_config: say, coarse_acoustics_config: sound, fine_acoustics_config: refine } = written
  return {
    sampleRate: codec.sampling_rate,
    language: 'en',
    semantic: {
      ...sizesOf(semantic),
      ...semanticSampling(say),
      inputVocabularySize: semantic.input_vocab_size,
      outputVocabularySize: semantic.output_vocab_size,
      textOffset: say.text_encoding_offset,
      textPad: say.text_pad_token,
      infer: say.semantic_infer_token,
      semanticCount: say.semantic_vocab_size,
      end: say.eos_token_id,
      endProbability: say.min_eos_p ?? undefined,
      inputLength: say.max_input_semantic_length,
      newTokensMax: say.max_new_tokens,
      rate: say.semantic_rate_hz
    },
    coarse: {
      ...sizesOf(coarse),
      ...semanticSampling(sound),
      vocabularySize: coarse.input_vocab_size,
      pad: sound.coarse_semantic_pad_token,
      infer: sound.coarse_infer_token,
      inputLength: sound.max_coarse_input_length,
      historyLength: sound.max_coarse_history,
      windowLength: sound.sliding_window_len,
      codebookCount: sound.n_coarse_codebooks,
      rate: sound.coarse_rate_hz
    },
    fine: {
      ...sizesOf(fine),
      ...fineGeneration(refine),
      vocabularySize: fine.input_vocab_size,
      codebookCount: fine.n_codes_total
    },
    codec: {
      codebookSize: codec.codebook_size,
      hiddenSize: codec.hidden_size,
      filterCount: codec.num_filters,
      kernelSize: codec.kernel_size,
      lastKernelSize: codec.last_kernel_size,
      residualKernelSize: codec.residual_kernel_size,
      dilationGrowth: codec.dilation_growth_rate,
      ratios: codec.upsampling_ratios,
      residualCount: codec.num_residual_layers,
      recurrentCount: codec.num_lstm_layers,
      compress: codec.compress,
      trimRight: codec.trim_right_ratio,
      shortcut: codec.use_conv_shortcut
    },
    prompts: [],
    speakers: {},
    languages: {}
  }
}

function sizesOf(part: PublishedConfig['semantic_config']): Record<string, number> {
  return {
    layerCount: part.num_layers,
    headCount: part.num_heads,
    hiddenSize: part.hidden_size,
    context: part.block_size
  }
}

function refuseUnserved(
  file: string,
  { fine_acoustics_config: fine, coarse_acoustics_config: coarse, codec_config: codec }: PublishedConfig
): void {
  const only = (field: string, found: unknown, wanted: unknown): void => {
    if (found !== wanted)
      throw modelInvalid(file, `${field} is ${JSON.stringify(found)}, and ${JSON.stringify(wanted)} is computed`)
  }
  only('coarse_acoustics_config.output_vocab_size', coarse.output_vocab_size, coarse.input_vocab_size)
  only('fine_acoustics_config.output_vocab_size', fine.output_vocab_size, fine.input_vocab_size)
  only('fine_acoustics_config.n_codes_given', fine.n_codes_given, 1)
  only('fine_acoustics_config.tie_word_embeddings', fine.tie_word_embeddings, true)
  only('codec_config.audio_channels', codec.audio_channels, 1)
  only('codec_config.normalize', codec.normalize, false)
  only('codec_config.norm_type', codec.norm_type, 'weight_norm')
  only('codec_config.use_causal_conv', codec.use_causal_conv, true)
  only('codec_config.pad_mode', codec.pad_mode, 'reflect')
  only('codec_config.codebook_dim', codec.codebook_dim ?? codec.hidden_size, codec.hidden_size)
}

function checked(file: string, candidate: unknown): BarkConfig {
  const parsed = safeParse(barkConfigSchema, candidate)
  if (parsed.success) return parsed.data
  throw modelInvalid(file, `the model's configuration is wrong: ${describeIssues(parsed.error, candidate)}`)
}

function parse<Schema extends z.ZodType>({ file, text }: NamedText, schema: Schema): z.infer<Schema> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw modelInvalid(file, 'is not JSON')
  }
  const parsed = safeParse(schema, json)
  if (!parsed.success) throw modelInvalid(file, describeIssues(parsed.error, json))
  return parsed.data
}
