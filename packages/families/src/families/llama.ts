import type { DecoderTraits } from '@resultity/interface'
import { separateGgufExpertNaming } from '../expert-naming.ts'
import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import type { GgufKeys } from '../gguf-keys.ts'
import { decoderFields, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { ggufNaming, hubNaming } from '../tensor-naming.ts'

/** Llama 2 and 3, and what computes as they do: TinyLlama, SmolLM2. A GGUF of a Mistral or Mixtral says that it is one. */
export const llama: Family = {
  name: 'llama',
  title: 'Llama',
  hub: {
    classes: { llama: 'LlamaForCausalLM' },
    describe(config) {
      const fields = readFields(config, decoderFields)
      refuseActivation(fields.hidden_act, 'silu')
      refuseBiases(fields)
      return describeDecoder(fields)
    },
    tensors: hubNaming
  },
  gguf: {
    architectures: ['llama'],
    describe: keys => describeGgufDecoder(keys, mixtralTraits(keys)),
    tensors: ggufNaming,
    otherTensors: [separateGgufExpertNaming],
    interleaved: true
  }
}

/** The shares of a Mixtral's experts make 1. */
function mixtralTraits(keys: GgufKeys): DecoderTraits {
  const count = keys.optional('expert_count') ?? 0
  if (count === 0) return {}
  const used = keys.required('expert_used_count')
  return { experts: { count, used, size: keys.required('feed_forward_length'), normalized: true } }
}
