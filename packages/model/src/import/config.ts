import { describeIssues, type ModelConfig, modelConfigSchema } from '@resultity/interface'
import { z } from 'zod'
import { modelInvalid } from '../model-invalid.ts'

const SUPPORTED =
  'supported is the Llama architecture: RMSNorm, rotary embedding, grouped-query attention, SwiGLU, no biases'

const scalingSchema = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  factor: z.number().optional(),
  low_freq_factor: z.number().optional(),
  high_freq_factor: z.number().optional(),
  original_max_position_embeddings: z.number().optional(),
  rope_theta: z.number().optional()
})

/** The fields of a Hugging Face `config.json` that decide what a Llama computes; defaults are `LlamaConfig`'s. */
const configSchema = z.looseObject({
  architectures: z.array(z.string()).optional(),
  model_type: z.string(),
  hidden_size: z.number(),
  intermediate_size: z.number(),
  num_hidden_layers: z.number(),
  num_attention_heads: z.number(),
  num_key_value_heads: z.number().nullish(),
  head_dim: z.number().nullish(),
  vocab_size: z.number(),
  max_position_embeddings: z.number().default(2048),
  rms_norm_eps: z.number().default(1e-6),
  rope_theta: z.number().optional(),
  rope_scaling: scalingSchema.nullish(),
  /** transformers 5 moves `rope_theta` and `rope_scaling` here. */
  rope_parameters: scalingSchema.nullish(),
  hidden_act: z.string().default('silu'),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false)
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
    contextLength: config.max_position_embeddings,
    rmsNormEpsilon: config.rms_norm_eps,
    ropeTheta: config.rope_theta ?? config.rope_parameters?.rope_theta ?? 10_000,
    ropeScaling: ropeScaling(file, rope),
    tiedEmbedding: config.tie_word_embeddings
  })
}

/** Checks a configuration, from whatever format, for sizes that fit together. */
export function checkModelConfig(file: string, candidate: unknown): ModelConfig {
  const parsed = modelConfigSchema.safeParse(candidate)
  if (!parsed.success)
    throw modelInvalid(file, `the model's configuration is wrong: ${describeIssues(parsed.error, candidate)}`)
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
  const named = z.looseObject({ model_type: z.string() }).safeParse(json)
  if (named.success && named.data.model_type !== 'llama') {
    throw unsupportedArchitecture(file, `the architecture "${named.data.model_type}"`)
  }
  const parsed = configSchema.safeParse(json)
  if (!parsed.success) throw modelInvalid(file, describeIssues(parsed.error, json))
  return parsed.data
}

function refuseOtherArchitectures(file: string, config: HuggingFaceConfig): void {
  const other = config.architectures?.find(name => name !== 'LlamaForCausalLM')
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
