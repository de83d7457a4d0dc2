import type { SourceTensor } from '@resultity/formats'
import type { WhisperConfig } from '@resultity/interface'

/** One tensor of ours, of the parts that lie one after the other in it. */
export type Parts = readonly [SourceTensor, ...SourceTensor[]]

/** What has a weight and a bias, and stands outside of the layers. */
export const endOperands = ['conv1', 'conv2', 'audio_norm', 'text_norm'] as const
export type EndOperand = (typeof endOperands)[number]

/** Tables whose rows are looked up, or added. */
export const tables = ['audio_positions', 'text_positions', 'tokens'] as const
export type Table = (typeof tables)[number]

/** What has a weight and a bias in every layer. */
const sharedOperands = ['attention_norm', 'qkv', 'output', 'feed_forward_norm', 'up', 'down'] as const
const crossOperands = ['cross_norm', 'cross_q', 'cross_kv', 'cross_output'] as const
export type LayerOperand = (typeof sharedOperands)[number] | (typeof crossOperands)[number]

/** The two halves of a Whisper. */
export type Side = 'encoder' | 'decoder'

/** Operands of a layer: cross attention is the decoder's. */
export function layerOperands(side: Side): readonly LayerOperand[] {
  return side === 'encoder' ? sharedOperands : [...sharedOperands, ...crossOperands]
}

export interface Weighted {
  readonly weight: Parts
  readonly bias: Parts
}

export type LayerTensors = ReadonlyMap<LayerOperand, Weighted>

/** A Whisper in some file format, with checked shapes and one naming. */
export interface WhisperSource extends Disposable {
  readonly config: WhisperConfig
  readonly ends: ReadonlyMap<EndOperand, Weighted>
  readonly tables: ReadonlyMap<Table, SourceTensor>
  readonly encoderLayers: readonly LayerTensors[]
  readonly decoderLayers: readonly LayerTensors[]
}
