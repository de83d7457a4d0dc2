import type { EndOperand, LayerOperand, Side, Table } from './whisper-source.ts'

/** How a format calls the tensors of a Whisper. */
export interface WhisperNaming {
  /** Before the names of a layer's tensors. */
  layer(side: Side, index: number): string
  readonly ends: Readonly<Record<EndOperand, string>>
  readonly tables: Readonly<Record<Table, string>>
  /** Of a layer: matrices that ours is made of lie one below the other in it. */
  readonly operands: Readonly<Record<LayerOperand, readonly string[]>>
  weight(name: string): string
  /** Undefined where there is none, which adds nothing. */
  bias(name: string): string | undefined
}

/** Operands that scale and shift, and multiply by nothing. */
export function isNorm(operand: EndOperand | LayerOperand): boolean {
  return operand.endsWith('_norm')
}

/**
 * Names of transformers' `WhisperForConditionalGeneration`.
 *
 * @param prefix `model.`, or nothing in a checkpoint of the bare model
 */
export function hubNaming(prefix: string): WhisperNaming {
  return {
    layer: (side, index) => `${prefix}${side}.layers.${index}.`,
    ends: {
      conv1: `${prefix}encoder.conv1`,
      conv2: `${prefix}encoder.conv2`,
      audio_norm: `${prefix}encoder.layer_norm`,
      text_norm: `${prefix}decoder.layer_norm`
    },
    tables: {
      audio_positions: `${prefix}encoder.embed_positions.weight`,
      text_positions: `${prefix}decoder.embed_positions.weight`,
      tokens: `${prefix}decoder.embed_tokens.weight`
    },
    operands: {
      attention_norm: ['self_attn_layer_norm'],
      qkv: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
      output: ['self_attn.out_proj'],
      feed_forward_norm: ['final_layer_norm'],
      up: ['fc1'],
      down: ['fc2'],
      cross_norm: ['encoder_attn_layer_norm'],
      cross_q: ['encoder_attn.q_proj'],
      cross_kv: ['encoder_attn.k_proj', 'encoder_attn.v_proj'],
      cross_output: ['encoder_attn.out_proj']
    },
    weight: name => `${name}.weight`,
    // a number added to all scores of a softmax changes none
    bias: name => (name.endsWith('k_proj') ? undefined : `${name}.bias`)
  }
}

/** The same matrix as the embedding, which checkpoints may have a second time. */
export const TIED_HEAD = 'proj_out.weight'

/** Names of CTranslate2's `WhisperSpec`, revision 3. */
export const ct2Naming: WhisperNaming = {
  layer: (side, index) => `${side}/layer_${index}/`,
  ends: {
    conv1: 'encoder/conv1',
    conv2: 'encoder/conv2',
    audio_norm: 'encoder/layer_norm',
    text_norm: 'decoder/layer_norm'
  },
  tables: {
    audio_positions: 'encoder/position_encodings/encodings',
    text_positions: 'decoder/position_encodings/encodings',
    tokens: 'decoder/embeddings/weight'
  },
  operands: {
    attention_norm: ['self_attention/layer_norm'],
    qkv: ['self_attention/linear_0'],
    output: ['self_attention/linear_1'],
    feed_forward_norm: ['ffn/layer_norm'],
    up: ['ffn/linear_0'],
    down: ['ffn/linear_1'],
    cross_norm: ['attention/layer_norm'],
    cross_q: ['attention/linear_0'],
    cross_kv: ['attention/linear_1'],
    cross_output: ['attention/linear_2']
  },
  weight: name => (name.endsWith('layer_norm') ? `${name}/gamma` : `${name}/weight`),
  bias: name => (name.endsWith('layer_norm') ? `${name}/beta` : `${name}/bias`)
}

/** The embedding's second name in these files. */
export const CT2_TIED_HEAD = 'decoder/projection/weight'
