import { safeParse } from '@resultity/interface'
import { z } from 'zod'
import { Unsupported } from './unsupported.ts'

const schema = z.looseObject({
  quantization_config: z.looseObject({
    quant_method: z.string().nullish(),
    /** Of compressed-tensors: `float-quantized` are 8 bits. */
    format: z.string().nullish()
  })
})

/** Names that have 8-bit floats in them: `fp8`, `fbgemm_fp8`, `finegrained_fp8`, `float-quantized`. */
const FP8 = /fp8|float-quantized/

/**
 * Weights in 8-bit floats have scales beside them, in ways of their own. Other ways of quantizing are refused by what
 * tensors they have, since some checkpoints name one and have plain numbers.
 *
 * @throws Unsupported
 */
export function refuseFp8(json: unknown): void {
  const { quant_method: method, format } = safeParse(schema, json).data?.quantization_config ?? {}
  const name = [method, format].find(text => text != null && FP8.test(text))
  if (name == null) return
  throw new Unsupported(
    `a checkpoint in fp8 ("${name}" in quantization_config)`,
    "8-bit floats with scales are not read here: take the publisher's version in BF16, or a GGUF version, such as Q8_0 or Q4_K_M"
  )
}
