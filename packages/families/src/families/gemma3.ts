import type { DecoderTraits, LayerTraits, Rope } from '@resultity/interface'
import { z } from 'zod'
import type { Family } from '../family.ts'
import { gemmaNaming } from '../gemma-naming.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import type { GgufKeys } from '../gguf-keys.ts'
import { decoderFields, orElse, readFields, ropeFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases, ropeOf } from '../hub-decoder.ts'
import { slidingLayers } from '../sliding-layers.ts'
import { ggufNaming } from '../tensor-naming.ts'

/** Base of the rotary embedding of layers with a window. */
const LOCAL_THETA = 10_000
/** One layer in six attends to all positions: the last of each six. */
const PATTERN = 6

const GELU_TANH = 'gelu_pytorch_tanh'

/** Defaults are `Gemma3TextConfig`'s. */
const fields = decoderFields.extend({
  hidden_size: orElse(z.number(), 2304),
  intermediate_size: orElse(z.number(), 9216),
  num_hidden_layers: orElse(z.number(), 26),
  num_attention_heads: orElse(z.number(), 8),
  num_key_value_heads: orElse(z.number(), 4),
  vocab_size: orElse(z.number(), 262_208),
  head_dim: orElse(z.number(), 256),
  max_position_embeddings: orElse(z.number(), 131_072),
  tie_word_embeddings: orElse(z.boolean(), true),
  /** `hidden_act` names another one in some releases, which compute this one all the same. */
  hidden_activation: orElse(z.string(), GELU_TANH),
  query_pre_attn_scalar: orElse(z.number(), 256),
  rope_local_base_freq: orElse(z.number(), LOCAL_THETA),
  sliding_window: orElse(z.number(), 4096),
  sliding_window_pattern: z.number().nullish(),
  layer_types: z.array(z.string()).nullish(),
  attn_logit_softcapping: z.number().nullish(),
  final_logit_softcapping: z.number().nullish(),
  /** transformers 5 has the embeddings of both kinds of layers here. */
  rope_parameters: z
    .looseObject({ full_attention: ropeFields.optional(), sliding_attention: ropeFields.optional() })
    .nullish()
})

function gemma3Traits(hiddenSize: number, localRope: Rope, others: DecoderTraits): DecoderTraits {
  const embeddingScale = Math.sqrt(hiddenSize)
  return { activation: 'gelu_tanh', embeddingScale, outputNorms: true, headNorms: true, localRope, ...others }
}

const slidesBy =
  (pattern: number) =>
  (layer: number): boolean =>
    (layer + 1) % pattern !== 0

/** Layers with a window rotate by a base of their own. */
const others: LayerTraits = { rope: 'local' }

/** Gemma 3, text: as Gemma 2 with norms of heads in place of soft caps, and two rotary embeddings. */
export const gemma3: Family = {
  name: 'gemma3',
  title: 'Gemma 3 (text)',
  hub: {
    classes: { gemma3_text: 'Gemma3ForCausalLM' },
    describe(config) {
      const { rope_parameters: ropes, ...read } = readFields(config, fields)
      refuseActivation(read.hidden_activation, GELU_TANH)
      refuseBiases(read)
      const { num_hidden_layers: layerCount, sliding_window: window, layer_types: types } = read
      const full = { ...read, rope_theta: read.rope_theta ?? ropes?.full_attention?.rope_theta ?? 1_000_000 }
      const local = {
        ...ropes?.sliding_attention,
        rope_theta: ropes?.sliding_attention?.rope_theta ?? read.rope_local_base_freq
      }
      const traits = gemma3Traits(read.hidden_size, ropeOf({ ...read, rope_theta: undefined }, local), {
        attentionScale: read.query_pre_attn_scalar ** -0.5,
        attentionSoftcap: read.attn_logit_softcapping ?? undefined,
        logitSoftcap: read.final_logit_softcapping ?? undefined,
        layers: slidingLayers({
          layerCount,
          window,
          types,
          slides: slidesBy(read.sliding_window_pattern ?? PATTERN),
          others
        })
      })
      return describeDecoder({ ...full, rope_parameters: ropes?.full_attention }, traits)
    },
    tensors: gemmaNaming,
    normOffset: 1
  },
  gguf: { architectures: ['gemma3'], describe: describeGguf, tensors: ggufNaming }
}

/** Of 27B, whose scores are scaled by the hidden size and not by that of a head; the file does not say so. */
const LAYERS_OF_27B = 62

function describeGguf(keys: GgufKeys) {
  const hiddenSize = keys.required('embedding_length')
  const layerCount = keys.required('block_count')
  const perHead = hiddenSize / keys.required('attention.head_count')
  const scalar = layerCount === LAYERS_OF_27B ? perHead : (keys.optional('attention.key_length') ?? perHead)
  const window = keys.required('attention.sliding_window')
  const localRope: Rope = {
    theta: keys.optional('rope.freq_base_swa') ?? LOCAL_THETA,
    scaling: { type: 'none' }
  }
  const traits = gemma3Traits(hiddenSize, localRope, {
    attentionScale: scalar ** -0.5,
    logitSoftcap: keys.optional('final_logit_softcapping'),
    layers: slidingLayers({ layerCount, window, slides: slidesBy(PATTERN), others })
  })
  return describeGgufDecoder(keys, traits)
}
