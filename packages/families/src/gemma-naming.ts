import { hubNaming, type TensorNaming } from './tensor-naming.ts'

/** Gemma 2 and 3 have a norm before and behind each block. */
export const gemmaNaming: TensorNaming = {
  ...hubNaming,
  layer: {
    ...hubNaming.layer,
    attention_out_norm: 'post_attention_layernorm.weight',
    post_norm: 'pre_feedforward_layernorm.weight',
    feed_forward_out_norm: 'post_feedforward_layernorm.weight'
  }
}
