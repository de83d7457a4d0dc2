import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import { readFields } from '../hub-config.ts'
import { describeQwen, qwenFields } from '../qwen-layers.ts'
import { ggufNaming, hubNaming } from '../tensor-naming.ts'

/** Qwen 2 and 2.5: Llama with biases of queries, keys and values. */
export const qwen2: Family = {
  name: 'qwen2',
  title: 'Qwen 2 and 2.5',
  hub: {
    classes: { qwen2: 'Qwen2ForCausalLM' },
    describe: config => describeQwen(readFields(config, qwenFields), { attentionBias: true }),
    tensors: hubNaming
  },
  gguf: {
    architectures: ['qwen2'],
    describe: keys => describeGgufDecoder(keys, { attentionBias: true }),
    tensors: ggufNaming
  }
}
