import type { CheckpointShape } from '@resultity/test-hub'

/** 4.0 billion numbers, 8 GB as bf16. */
export const EIGHT_GB: CheckpointShape = {
  hidden_size: 3072,
  intermediate_size: 8192,
  num_hidden_layers: 36,
  num_attention_heads: 24,
  num_key_value_heads: 8,
  head_dim: 128,
  vocab_size: 128_256,
  tie_word_embeddings: true
}

/** Some megabytes, to see that the run itself works. */
export const TINY: CheckpointShape = {
  hidden_size: 256,
  intermediate_size: 512,
  num_hidden_layers: 6,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 64,
  vocab_size: 1024,
  tie_word_embeddings: true
}
