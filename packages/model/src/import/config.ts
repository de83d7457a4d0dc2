import { describeIssues, type ModelConfig, modelConfigSchema, modelInvalid, safeParse } from '@resultity/interface'
import { z } from 'zod'

const SUPPORTED =
  'supported is the Llama architecture (Mistral has it too): RMSNorm, rotary embedding, grouped-query attention, SwiGLU, no biases'

/** The runtime's attention rotates heads in vectors of so many numbers. */
const HEAD_DIM_UNIT = 16

const scalingSchema = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  factor: z.number().nullish(),
  low_freq_factor: z.number().nullish(),
  high_freq_factor: z.number().nullish(),
  original_max_position_embeddings: z.number().nullish(),
  rope_theta: z.number().nullish()
})

/** A field that may be missing or null, which says the same. */
function orElse<T extends z.ZodType>(schema: T, value: z.output<T>) {
  return schema.nullish().transform(found => found ?? value)
}

/** The fields of a Hugging Face `config.json` that decide what a Llama computes; defaults are `LlamaConfig`'s. */
const configSchema = z.looseObject({
  architectures: z.array(z.string()).nullish(),
  model_type: z.string(),
  hidden_size: z.number(),
  intermediate_size: z.number(),
  num_hidden_layers: z.number(),
  num_attention_heads: z.number(),
  num_key_value_heads: z.number().nullish(),
  head_dim: z.number().nullish(),
  vocab_size: z.number(),
  max_position_embeddings: orElse(z.number(), 2048),
  rms_norm_eps: orElse(z.number(), 1e-6),
  rope_theta: z.number().nullish(),
  rope_scaling: scalingSchema.nullish(),
  /** transformers 5 moves `rope_theta` and `rope_scaling` here. */
  rope_parameters: scalingSchema.nullish(),
  /** Mistral's: how far back a position looks. Null: to the beginning. */
  sliding_window: z.number().nullish(),
  hidden_act: orElse(z.string(), 'silu'),
  attention_bias: orElse(z.boolean(), false),
  mlp_bias: orElse(z.boolean(), false),
  tie_word_embeddings: orElse(z.boolean(), false)
})
const quantizedSchema = z.looseObject({
  quantization_config: z.looseObject({ quant_method: z.string().nullish() }).nullish().catch(null)
})
type HuggingFaceConfig = z.infer<typeof configSchema>

/**
 * Reads a Hugging Face `config.json`.
 *
 * @param file names the file in errors
 * @throws MeshError `model_invalid` for a field that is wrong and for any other architecture
 */
export function modelConfigFromJson(file: string, text: string): ModelConfig {
  const config = parseConfig(file, text)
  refuseOtherArchitectures(file, config)
  const rope = config.rope_parameters ?? config.rope_scaling ?? {}
  return checkModelConfig(file, {
    layerCount: config.num_hidden_layers,
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size,
    headCount: config.num_attention_heads,
    kvHeadCount: config.num_key_value_heads ?? config.num_attention_heads,
    headDim: config.head_dim ?? config.hidden_size / config.num_attention_heads,
    vocabularySize: config.vocab_size,
    contextLength: contextLength(config),
    rmsNormEpsilon: config.rms_norm_eps,
    ropeTheta: config.rope_theta ?? config.rope_parameters?.rope_theta ?? 10_000,
    ropeScaling: ropeScaling(file, rope),
    tiedEmbedding: config.tie_word_embeddings
  })
}

/** By what the weights of a folder are quantized, as its `config.json` says; undefined where they are plain numbers. */
export function quantizationOf(text: string): string | undefined {
  const { quantization_config: quantization } = quantizedSchema.parse(JSON.parse(text))
  return quantization == null ? undefined : (quantization.quant_method ?? 'an unnamed method')
}

/** Checks a configuration, from whatever format, for sizes that fit together. */
export function checkModelConfig(file: string, candidate: unknown): ModelConfig {
  const parsed = safeParse(modelConfigSchema, candidate)
  if (!parsed.success)
    throw modelInvalid(file, `the model's configuration is wrong: ${describeIssues(parsed.error, candidate)}`)
  const { headDim } = parsed.data
  if (headDim % HEAD_DIM_UNIT !== 0) {
    throw modelInvalid(
      file,
      `heads of ${headDim} dimensions are not supported, the size must be a multiple of ${HEAD_DIM_UNIT}`,
      'Most Llama models have heads of 64 or 128; choose one of those.'
    )
  }
  return parsed.data
}

/** The refusal of a model that is not a Llama. */
export function unsupportedArchitecture(file: string, what: string): Error {
  return modelInvalid(file, `${what} is not supported`, SUPPORTED)
}

function parseConfig(file: string, text: string): HuggingFaceConfig {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw modelInvalid(file, `not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  const named = safeParse(z.looseObject({ model_type: z.string() }), json)
  if (named.success && !Object.hasOwn(modelClasses, named.data.model_type)) {
    throw unsupportedArchitecture(file, `the architecture "${named.data.model_type}"`)
  }
  const parsed = safeParse(configSchema, json)
  if (!parsed.success) throw modelInvalid(file, describeIssues(parsed.error, json))
  return parsed.data
}

/** What `architectures` names for each `model_type` that computes as a Llama does. */
const modelClasses: Readonly<Record<string, string>> = { llama: 'LlamaForCausalLM', mistral: 'MistralForCausalLM' }

/** Within its window, Mistral's sliding attention is that of all positions. */
function contextLength({ model_type, sliding_window, max_position_embeddings }: HuggingFaceConfig): number {
  if (model_type !== 'mistral' || sliding_window === null) return max_position_embeddings
  return Math.min(max_position_embeddings, sliding_window ?? MISTRAL_WINDOW)
}

/** Of a configuration that does not say, as in `MistralConfig`. */
const MISTRAL_WINDOW = 4096

function refuseOtherArchitectures(file: string, config: HuggingFaceConfig): void {
  const other = config.architectures?.find(name => name !== modelClasses[config.model_type])
  if (other !== undefined) throw unsupportedArchitecture(file, `the architecture "${other}"`)
  if (config.hidden_act !== 'silu') throw unsupportedArchitecture(file, `the activation "${config.hidden_act}"`)
  if (config.attention_bias) throw unsupportedArchitecture(file, 'a bias in the attention')
  if (config.mlp_bias) throw unsupportedArchitecture(file, 'a bias in the MLP')
}

function ropeScaling(file: string, rope: z.infer<typeof scalingSchema>): unknown {
  const type = rope.rope_type ?? rope.type ?? 'default'
  if (type === 'default') return { type: 'none' }
  if (type === 'linear') return { type, factor: rope.factor }
  if (type !== 'llama3') throw unsupportedArchitecture(file, `the rotary embedding scaling "${type}"`)
  return {
    type,
    factor: rope.factor,
    lowFrequencyFactor: rope.low_freq_factor,
    highFrequencyFactor: rope.high_freq_factor,
    originalContextLength: rope.original_max_position_embeddings
  }
}
