import type { LayerTensorName } from './layer-tensors.ts'

/** How one file format names the tensors of a family. */
export interface TensorNaming {
  readonly embedding: string
  readonly finalNorm: string
  readonly head: string
  /** What stands before the names of a layer's tensors; `{}` is the number of the layer. */
  readonly layerPrefix: string
  /**
   * Where several have one name, the file holds them in one matrix, in the order of `layerTensorNames`. In a name of experts `{}`
   * is the number of the expert; without it the file holds those of all experts in one tensor, one after the other.
   */
  readonly layer: Readonly<Partial<Record<LayerTensorName, string>>>
  /** Tensors without weights of ours: what is derived from the configuration. */
  readonly ignored: RegExp
}

/** The file's name of a layer's tensor, with `{}` where each expert has one; undefined where the family's record names none. */
export function layerTensorName(naming: TensorNaming, index: number, name: LayerTensorName): string | undefined {
  const own = naming.layer[name]
  return own === undefined ? undefined : `${naming.layerPrefix.replace('{}', String(index))}${own}`
}

/** The name of one expert's tensor, of a name that {@link layerTensorName} gives; undefined where all are in one. */
export function expertTensorName(name: string, expert: number): string | undefined {
  return name.includes('{}') ? name.replace('{}', String(expert)) : undefined
}

/** The names that most decoders have in transformers; a family changes or adds what it has otherwise. */
export const hubNaming: TensorNaming = {
  embedding: 'model.embed_tokens.weight',
  finalNorm: 'model.norm.weight',
  head: 'lm_head.weight',
  layerPrefix: 'model.layers.{}.',
  layer: {
    input_norm: 'input_layernorm.weight',
    q: 'self_attn.q_proj.weight',
    k: 'self_attn.k_proj.weight',
    v: 'self_attn.v_proj.weight',
    q_bias: 'self_attn.q_proj.bias',
    k_bias: 'self_attn.k_proj.bias',
    v_bias: 'self_attn.v_proj.bias',
    q_norm: 'self_attn.q_norm.weight',
    k_norm: 'self_attn.k_norm.weight',
    output: 'self_attn.o_proj.weight',
    post_norm: 'post_attention_layernorm.weight',
    gate: 'mlp.gate_proj.weight',
    up: 'mlp.up_proj.weight',
    down: 'mlp.down_proj.weight'
  },
  // tables of the rotary embedding, which old checkpoints carry along
  ignored: /\.rotary_emb\.(inv_freq|cos_cached|sin_cached)$/
}

/** llama.cpp's names, which all families share. */
export const ggufNaming: TensorNaming = {
  embedding: 'token_embd.weight',
  finalNorm: 'output_norm.weight',
  head: 'output.weight',
  layerPrefix: 'blk.{}.',
  layer: {
    input_norm: 'attn_norm.weight',
    q: 'attn_q.weight',
    k: 'attn_k.weight',
    v: 'attn_v.weight',
    q_bias: 'attn_q.bias',
    k_bias: 'attn_k.bias',
    v_bias: 'attn_v.bias',
    q_norm: 'attn_q_norm.weight',
    k_norm: 'attn_k_norm.weight',
    output: 'attn_output.weight',
    attention_out_norm: 'post_attention_norm.weight',
    post_norm: 'ffn_norm.weight',
    gate: 'ffn_gate.weight',
    up: 'ffn_up.weight',
    down: 'ffn_down.weight',
    router: 'ffn_gate_inp.weight',
    expert_gate: 'ffn_gate_exps.weight',
    expert_up: 'ffn_up_exps.weight',
    expert_down: 'ffn_down_exps.weight',
    shared_router: 'ffn_gate_inp_shexp.weight',
    shared_gate: 'ffn_gate_shexp.weight',
    shared_up: 'ffn_up_shexp.weight',
    shared_down: 'ffn_down_shexp.weight',
    feed_forward_out_norm: 'post_ffw_norm.weight'
  },
  ignored: /^rope_(freqs|factors_long|factors_short)\.weight$|^blk\.\d+\.attn_rot_embd\.weight$/
}
