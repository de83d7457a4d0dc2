import type { DecoderTraits, ModelConfig, Rope } from '@resultity/interface'
import type { DecoderFields, RopeFields } from './hub-config.ts'
import { ropeScalingOf } from './hub-rope.ts'
import { withTraits } from './traits.ts'
import { Unsupported } from './unsupported.ts'

/** Base of the rotary frequencies of a configuration that names none. */
const ROPE_THETA = 10_000

/** What fields that all decoders have say; a family adds the traits that its models have. */
export function describeDecoder(fields: DecoderFields, traits: DecoderTraits = {}): ModelConfig {
  const headDim = fields.head_dim ?? fields.hidden_size / fields.num_attention_heads
  const { theta, scaling } = ropeOf(fields, fields.rope_parameters ?? fields.rope_scaling ?? {})
  const config: ModelConfig = {
    layerCount: fields.num_hidden_layers,
    hiddenSize: fields.hidden_size,
    intermediateSize: fields.intermediate_size,
    headCount: fields.num_attention_heads,
    kvHeadCount: fields.num_key_value_heads ?? fields.num_attention_heads,
    headDim,
    vocabularySize: fields.vocab_size,
    contextLength: fields.max_position_embeddings,
    rmsNormEpsilon: fields.rms_norm_eps,
    ropeTheta: theta,
    ropeScaling: scaling,
    tiedEmbedding: fields.tie_word_embeddings
  }
  return withTraits(config, traits)
}

/** The rotary embedding that `rope` describes, with the base of the whole configuration where it names none. */
export function ropeOf(fields: DecoderFields, rope: RopeFields): Rope {
  const theta = fields.rope_theta ?? rope.rope_theta ?? ROPE_THETA
  return { theta, scaling: ropeScalingOf(rope, fields) }
}

/** Refuses what would be another block of the graph. */
export function refuseActivation(found: string, wanted: string): void {
  if (found !== wanted) throw new Unsupported(`the activation "${found}"`)
}

/** Refuses biases that the family's models do not have. */
export function refuseBiases(fields: Pick<DecoderFields, 'attention_bias' | 'mlp_bias'>): void {
  if (fields.attention_bias) throw new Unsupported('a bias in the attention')
  if (fields.mlp_bias) throw new Unsupported('a bias in the MLP')
}
