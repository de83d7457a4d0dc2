import { z } from 'zod'
import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import { orElse, readFields } from '../hub-config.ts'
import { describeQwen, qwenFields } from '../qwen-layers.ts'
import { ggufNaming, hubNaming } from '../tensor-naming.ts'

const fields = qwenFields.extend({ head_dim: orElse(z.number(), 128) })

/** Qwen 3: each head's query and key is normalized before it is rotated. */
export const qwen3: Family = {
  name: 'qwen3',
  title: 'Qwen 3',
  hub: {
    classes: { qwen3: 'Qwen3ForCausalLM' },
    describe: config => describeQwen(readFields(config, fields), { headNorms: true }),
    tensors: hubNaming
  },
  gguf: {
    architectures: ['qwen3'],
    describe: keys => describeGgufDecoder(keys, { headNorms: true }),
    tensors: ggufNaming
  }
}
