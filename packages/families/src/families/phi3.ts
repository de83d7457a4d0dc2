import type { LayerTraits, RopeScaling } from '@resultity/interface'
import { z } from 'zod'
import type { Family } from '../family.ts'
import { describeGgufDecoder } from '../gguf-decoder.ts'
import type { GgufKeys } from '../gguf-keys.ts'
import { decoderFields, orElse, readFields } from '../hub-config.ts'
import { describeDecoder, refuseActivation, refuseBiases } from '../hub-decoder.ts'
import { longropeMagnitude } from '../rope-magnitude.ts'
import { slidingLayers } from '../sliding-layers.ts'
import { ggufNaming, hubNaming, type TensorNaming } from '../tensor-naming.ts'

/** Defaults are `Phi3Config`'s. */
const fields = decoderFields.extend({
  max_position_embeddings: orElse(z.number(), 4096),
  original_max_position_embeddings: orElse(z.number(), 4096),
  rms_norm_eps: orElse(z.number(), 1e-5),
  partial_rotary_factor: z.number().nullish(),
  sliding_window: z.number().nullish()
})

/** One matrix makes queries, keys and values, and another gate and up. */
function fused(naming: TensorNaming, qkv: string, gateUp: string): TensorNaming {
  return { ...naming, layer: { ...naming.layer, q: qkv, k: qkv, v: qkv, gate: gateUp, up: gateUp } }
}

function windows(layerCount: number, window: number | null | undefined): LayerTraits[] | undefined {
  return slidingLayers({ layerCount, window, slides: () => true })
}

/** Phi 3, 3.5 and 4-mini: Llama with fused matrices, in part partly rotated, with longrope for long contexts. */
export const phi3: Family = {
  name: 'phi3',
  title: 'Phi 3, 3.5 and 4-mini',
  hub: {
    classes: { phi3: 'Phi3ForCausalLM' },
    describe(config) {
      const read = readFields(config, fields)
      refuseActivation(read.hidden_act, 'silu')
      refuseBiases(read)
      const headDim = read.head_dim ?? read.hidden_size / read.num_attention_heads
      const rotated = read.rope_parameters?.partial_rotary_factor ?? read.partial_rotary_factor ?? 1
      return describeDecoder(read, {
        rotaryDim: rotated === 1 ? undefined : Math.floor(headDim * rotated),
        layers: windows(read.num_hidden_layers, read.sliding_window)
      })
    },
    tensors: fused(hubNaming, 'self_attn.qkv_proj.weight', 'mlp.gate_up_proj.weight')
  },
  gguf: {
    architectures: ['phi3'],
    describe: describeGguf,
    tensors: fused(ggufNaming, 'attn_qkv.weight', 'ffn_up.weight')
  }
}

function describeGguf(keys: GgufKeys) {
  const headDim =
    keys.optional('attention.key_length') ?? keys.required('embedding_length') / keys.required('attention.head_count')
  const rotaryDim = keys.optional('rope.dimension_count') ?? headDim
  const window = keys.optional('attention.sliding_window')
  const traits = {
    rotaryDim: rotaryDim === headDim ? undefined : rotaryDim,
    layers: windows(keys.required('block_count'), window === 0 ? undefined : window)
  }
  return describeGgufDecoder(keys, traits, storedFactors(keys))
}

/** GGUF stores longrope's factors as tensors. */
function storedFactors(keys: GgufKeys): RopeScaling | undefined {
  const [long, short] = ['rope_factors_long.weight', 'rope_factors_short.weight'].map(name => keys.head.vector(name))
  if (long === undefined || short === undefined) return undefined
  const originalContextLength = keys.required('rope.scaling.original_context_length')
  const magnitude =
    keys.optional('rope.scaling.attn_factor') ??
    longropeMagnitude(keys.required('context_length'), originalContextLength)
  return { type: 'longrope', short: [...short], long: [...long], originalContextLength, magnitude }
}
