import t from 'tap'
import { describeHubModel, ropeFrequencyDivisors } from '../src/index.ts'

/** Configurations as their publishers have them, as far as they decide what is computed. */
const published = {
  'Mistral-7B-v0.1, Zephyr, OpenChat 3.5': {
    config: {
      architectures: ['MistralForCausalLM'],
      model_type: 'mistral',
      hidden_act: 'silu',
      hidden_size: 4096,
      intermediate_size: 14_336,
      max_position_embeddings: 32_768,
      num_attention_heads: 32,
      num_hidden_layers: 32,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000,
      sliding_window: 4096,
      tie_word_embeddings: false,
      vocab_size: 32_000
    },
    expected: { headDim: 128, contextLength: 32_768, traits: { layers: { 0: { window: 4096 }, 31: { window: 4096 } } } }
  },
  'Mistral-7B-Instruct-v0.3': {
    config: {
      architectures: ['MistralForCausalLM'],
      model_type: 'mistral',
      hidden_act: 'silu',
      hidden_size: 4096,
      intermediate_size: 14_336,
      max_position_embeddings: 32_768,
      num_attention_heads: 32,
      num_hidden_layers: 32,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-5,
      rope_theta: 1_000_000,
      sliding_window: null,
      tie_word_embeddings: false,
      vocab_size: 32_768
    },
    expected: { ropeTheta: 1_000_000, traits: undefined }
  },
  'Qwen2.5-0.5B-Instruct': {
    config: {
      architectures: ['Qwen2ForCausalLM'],
      model_type: 'qwen2',
      hidden_act: 'silu',
      hidden_size: 896,
      intermediate_size: 4864,
      max_position_embeddings: 32_768,
      max_window_layers: 21,
      num_attention_heads: 14,
      num_hidden_layers: 24,
      num_key_value_heads: 2,
      rms_norm_eps: 1e-6,
      rope_theta: 1_000_000,
      sliding_window: 32_768,
      tie_word_embeddings: true,
      use_sliding_window: false,
      vocab_size: 151_936
    },
    expected: { headDim: 64, tiedEmbedding: true, traits: { attentionBias: true, layers: undefined } }
  },
  'Qwen3-0.6B': {
    config: {
      architectures: ['Qwen3ForCausalLM'],
      model_type: 'qwen3',
      attention_bias: false,
      head_dim: 128,
      hidden_act: 'silu',
      hidden_size: 1024,
      intermediate_size: 3072,
      max_position_embeddings: 40_960,
      max_window_layers: 28,
      num_attention_heads: 16,
      num_hidden_layers: 28,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-6,
      rope_scaling: null,
      rope_theta: 1_000_000,
      sliding_window: null,
      tie_word_embeddings: true,
      use_sliding_window: false,
      vocab_size: 151_936
    },
    expected: { headDim: 128, hiddenSize: 1024, traits: { headNorms: true, layers: undefined } }
  },
  'Mixtral-8x7B-Instruct-v0.1': {
    config: {
      architectures: ['MixtralForCausalLM'],
      model_type: 'mixtral',
      attention_dropout: 0,
      hidden_act: 'silu',
      hidden_size: 4096,
      intermediate_size: 14_336,
      max_position_embeddings: 32_768,
      num_attention_heads: 32,
      num_experts_per_tok: 2,
      num_hidden_layers: 32,
      num_key_value_heads: 8,
      num_local_experts: 8,
      output_router_logits: false,
      rms_norm_eps: 1e-5,
      rope_theta: 1_000_000,
      router_aux_loss_coef: 0.02,
      sliding_window: null,
      tie_word_embeddings: false,
      vocab_size: 32_000
    },
    expected: {
      headDim: 128,
      ropeTheta: 1_000_000,
      traits: { experts: { count: 8, used: 2, size: 14_336, normalized: true }, layers: undefined }
    }
  },
  'Qwen3-30B-A3B': {
    config: {
      architectures: ['Qwen3MoeForCausalLM'],
      model_type: 'qwen3_moe',
      attention_bias: false,
      decoder_sparse_step: 1,
      head_dim: 128,
      hidden_act: 'silu',
      hidden_size: 2048,
      intermediate_size: 6144,
      max_position_embeddings: 40_960,
      max_window_layers: 48,
      mlp_only_layers: [],
      moe_intermediate_size: 768,
      norm_topk_prob: true,
      num_attention_heads: 32,
      num_experts: 128,
      num_experts_per_tok: 8,
      num_hidden_layers: 48,
      num_key_value_heads: 4,
      rms_norm_eps: 1e-6,
      rope_scaling: null,
      rope_theta: 1_000_000,
      sliding_window: null,
      tie_word_embeddings: false,
      use_sliding_window: false,
      vocab_size: 151_936
    },
    expected: {
      headDim: 128,
      intermediateSize: 6144,
      traits: {
        headNorms: true,
        experts: { count: 128, used: 8, size: 768, normalized: true },
        layers: undefined
      }
    }
  },
  'Qwen1.5-MoE-A2.7B-Chat': {
    config: {
      architectures: ['Qwen2MoeForCausalLM'],
      model_type: 'qwen2_moe',
      decoder_sparse_step: 1,
      hidden_act: 'silu',
      hidden_size: 2048,
      intermediate_size: 5632,
      max_position_embeddings: 8192,
      max_window_layers: 21,
      moe_intermediate_size: 1408,
      norm_topk_prob: false,
      num_attention_heads: 16,
      num_experts: 60,
      num_experts_per_tok: 4,
      num_hidden_layers: 24,
      num_key_value_heads: 16,
      rms_norm_eps: 1e-6,
      rope_theta: 1_000_000,
      shared_expert_intermediate_size: 5632,
      sliding_window: 32_768,
      tie_word_embeddings: false,
      use_sliding_window: false,
      vocab_size: 151_936
    },
    expected: {
      headDim: 128,
      traits: { attentionBias: true, experts: { count: 60, used: 4, size: 1408, sharedSize: 5632 }, layers: undefined }
    }
  },
  'gemma-3-4b-it, which names only what differs from the defaults': {
    config: {
      architectures: ['Gemma3ForConditionalGeneration'],
      model_type: 'gemma3',
      eos_token_id: [1, 106],
      image_token_index: 262_144,
      text_config: {
        hidden_size: 2560,
        intermediate_size: 10_240,
        model_type: 'gemma3_text',
        num_hidden_layers: 34,
        rope_scaling: { factor: 8, rope_type: 'linear' },
        sliding_window: 1024
      },
      vision_config: { hidden_size: 1152, model_type: 'siglip_vision_model', num_hidden_layers: 27 }
    },
    expected: {
      headDim: 256,
      headCount: 8,
      kvHeadCount: 4,
      vocabularySize: 262_208,
      contextLength: 131_072,
      ropeTheta: 1_000_000,
      ropeScaling: { type: 'linear', factor: 8 },
      tiedEmbedding: true,
      traits: { layers: { 0: { window: 1024, rope: 'local' }, 5: {}, 33: { window: 1024 } } }
    }
  },
  'SmolLM3-3B': {
    config: {
      architectures: ['SmolLM3ForCausalLM'],
      model_type: 'smollm3',
      attention_bias: false,
      hidden_act: 'silu',
      hidden_size: 2048,
      intermediate_size: 11_008,
      layer_types: new Array(36).fill('full_attention'),
      max_position_embeddings: 65_536,
      mlp_bias: false,
      no_rope_layer_interval: 4,
      no_rope_layers: Array.from({ length: 36 }, (_, layer) => (layer % 4 === 3 ? 0 : 1)),
      num_attention_heads: 16,
      num_hidden_layers: 36,
      num_key_value_heads: 4,
      rms_norm_eps: 1e-6,
      rope_scaling: null,
      rope_theta: 5_000_000,
      use_sliding_window: false,
      sliding_window: null,
      tie_word_embeddings: true,
      vocab_size: 128_256
    },
    expected: {
      headDim: 128,
      traits: { layers: { 0: { rope: undefined }, 3: { rope: 'none' }, 35: { rope: 'none' } } }
    }
  }
} as const

for (const [name, { config, expected }] of Object.entries(published)) {
  t.test(name, async t => {
    const described = describeHubModel('config.json', JSON.stringify(config)).config
    t.match(described, expected)
    for (const [field, value] of Object.entries(expected.traits ?? {})) {
      if (value === undefined) t.notOk(described.traits && field in described.traits, `no ${field}`)
    }
    if (expected.traits === undefined) t.equal(described.traits, undefined)
  })
}

t.test('yarn stretches slow frequencies and leaves fast ones', async t => {
  const scaling = {
    type: 'yarn',
    factor: 4,
    betaFast: 32,
    betaSlow: 1,
    originalContextLength: 32_768,
    magnitude: 1.1386
  } as const
  const divisors = ropeFrequencyDivisors({ theta: 1_000_000, scaling, rotaryDim: 128, contextLength: 131_072 })
  t.equal(divisors[0], 1)
  t.equal(divisors[63], 4)
  t.ok(divisors.every((value, index) => index === 0 || value >= (divisors[index - 1] ?? 0)))
})
