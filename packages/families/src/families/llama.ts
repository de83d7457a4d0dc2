import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import { decoderFields, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { ggufNaming, hubNaming } from '../tensor-naming.ts'

/** Llama 2 and 3, and what computes as they do: TinyLlama, SmolLM2. A GGUF of a Mistral says that it is one. */
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
    describe: keys => describeGgufDecoder(keys),
    tensors: ggufNaming,
    interleaved: true
  }
}
