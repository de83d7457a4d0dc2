import type { ModelConfig } from '@resultity/interface'
import { z } from 'zod'
import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import { decoderFields, orElse, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { ggufNaming, hubNaming } from '../tensor-naming.ts'

const GELU_TANH = 'gelu_pytorch_tanh'

/** Defaults are `GemmaConfig`'s. */
const fields = decoderFields.extend({
  head_dim: orElse(z.number(), 256),
  max_position_embeddings: orElse(z.number(), 8192),
  tie_word_embeddings: orElse(z.boolean(), true),
  /** `hidden_act` names another one in some releases, which compute this one all the same. */
  hidden_activation: orElse(z.string(), GELU_TANH)
})

/** What every Gemma has beyond Llama. */
function gemmaTraits(hiddenSize: number) {
  return { activation: 'gelu_tanh', embeddingScale: Math.sqrt(hiddenSize) } as const
}

/** Gemma 1: norms multiply by 1 + weight, the embedding is scaled, and the feed-forward is gated by GELU. */
export const gemma: Family = {
  name: 'gemma',
  title: 'Gemma 1',
  hub: {
    classes: { gemma: 'GemmaForCausalLM' },
    describe(config): ModelConfig {
      const read = readFields(config, fields)
      refuseActivation(read.hidden_activation, GELU_TANH)
      refuseBiases(read)
      return describeDecoder(read, gemmaTraits(read.hidden_size))
    },
    tensors: hubNaming,
    normOffset: 1
  },
  gguf: {
    architectures: ['gemma'],
    // the converter has added the 1
    describe: keys => describeGgufDecoder(keys, gemmaTraits(keys.required('embedding_length'))),
    tensors: ggufNaming
  }
}
