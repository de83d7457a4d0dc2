import type { DecoderTraits } from '@resultity/interface'
import { z } from 'zod'
import type { Family } from '../family.ts'
import { gemmaNaming } from '../gemma-naming.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import type { GgufKeys } from '../gguf-keys.ts'
import { decoderFields, orElse, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { slidingLayers } from '../sliding-layers.ts'
import { ggufNaming } from '../tensor-naming.ts'

const WINDOW = 4096

const GELU_TANH = 'gelu_pytorch_tanh'

/** Defaults are `Gemma2Config`'s. */
const fields = decoderFields.extend({
  head_dim: orElse(z.number(), 256),
  max_position_embeddings: orElse(z.number(), 8192),
  tie_word_embeddings: orElse(z.boolean(), true),
  /** `hidden_act` names another one in some releases, which compute this one all the same. */
  hidden_activation: orElse(z.string(), GELU_TANH),
  query_pre_attn_scalar: orElse(z.number(), 256),
  sliding_window: orElse(z.number(), WINDOW),
  layer_types: z.array(z.string()).nullish(),
  attn_logit_softcapping: z.number().nullish(),
  final_logit_softcapping: z.number().nullish()
})

/** Every other layer, from the first on, attends to a window. */
const slides = (layer: number): boolean => layer % 2 === 0

function gemma2Traits(hiddenSize: number, others: DecoderTraits): DecoderTraits {
  return { activation: 'gelu_tanh', embeddingScale: Math.sqrt(hiddenSize), outputNorms: true, ...others }
}

/** Gemma 2: as Gemma 1, with norms behind the blocks, soft caps, and windows in every other layer. */
export const gemma2: Family = {
  name: 'gemma2',
  title: 'Gemma 2',
  hub: {
    classes: { gemma2: 'Gemma2ForCausalLM' },
    describe(config) {
      const read = readFields(config, fields)
      refuseActivation(read.hidden_activation, GELU_TANH)
      refuseBiases(read)
      const { num_hidden_layers: layerCount, sliding_window: window, layer_types: types } = read
      const traits = gemma2Traits(read.hidden_size, {
        attentionScale: read.query_pre_attn_scalar ** -0.5,
        attentionSoftcap: read.attn_logit_softcapping ?? undefined,
        logitSoftcap: read.final_logit_softcapping ?? undefined,
        layers: slidingLayers({ layerCount, window, types, slides })
      })
      return describeDecoder(read, traits)
    },
    tensors: gemmaNaming,
    normOffset: 1
  },
  gguf: { architectures: ['gemma2'], describe: describeGguf, tensors: ggufNaming }
}

/** Of 27B, whose scores are scaled by the hidden size and not by that of a head; the file does not say so. */
const LAYERS_OF_27B = 46

function describeGguf(keys: GgufKeys) {
  const hiddenSize = keys.required('embedding_length')
  const layerCount = keys.required('block_count')
  const scalar =
    layerCount === LAYERS_OF_27B
      ? hiddenSize / keys.required('attention.head_count')
      : (keys.optional('attention.key_length') ?? hiddenSize / keys.required('attention.head_count'))
  const window = keys.optional('attention.sliding_window') ?? WINDOW
  const traits = gemma2Traits(hiddenSize, {
    attentionScale: scalar ** -0.5,
    attentionSoftcap: keys.optional('attn_logit_softcapping') ?? 50,
    logitSoftcap: keys.optional('final_logit_softcapping') ?? 30,
    layers: slidingLayers({ layerCount, window, slides })
  })
  return describeGgufDecoder(keys, traits)
}
