import type { LayerTensorName } from '@resultity/families'
import type { SourceTensor } from '@resultity/formats'
import type { EncoderConfig, ModelConfig } from '@resultity/interface'

/** Tensors of one decoder layer: those that the traits of its model name. */
export type LayerTensors = ReadonlyMap<LayerTensorName, SourceTensor>

/** A model in some file format, with checked shapes and one naming. */
export interface ModelSource extends Disposable {
  readonly config: ModelConfig
  readonly embedding: SourceTensor
  readonly layers: readonly LayerTensors[]
  readonly finalNorm: SourceTensor
  /** Undefined when the embedding serves as the head. */
  readonly head: SourceTensor | undefined
}

/** Tables of an encoder's embedding, and the norm of their sum. */
export type EncoderEmbeddingTensorName = 'words' | 'positions' | 'token_types' | 'norm' | 'norm_bias'

/** Tensors of one encoder layer: six projections and two norms, each with a bias. */
type EncoderMatrixName = 'q' | 'k' | 'v' | 'output' | 'up' | 'down' | 'attention_norm' | 'output_norm'
export type EncoderLayerTensorName = EncoderMatrixName | `${EncoderMatrixName}_bias`
export type EncoderLayerTensors = Readonly<Record<EncoderLayerTensorName, SourceTensor>>

/** Two projections, each with a bias: of the first hidden state, and of that to labels. */
export type EncoderHeadTensorName = 'pooler' | 'pooler_bias' | 'classifier' | 'classifier_bias'
export type EncoderHeadTensors = Readonly<Record<EncoderHeadTensorName, SourceTensor>>

/** A sentence encoder in some file format, with checked shapes and one naming. */
export interface EncoderSource extends Disposable {
  readonly config: EncoderConfig
  /** Of a classifier. */
  readonly head: EncoderHeadTensors | undefined
  readonly embedding: Readonly<Record<EncoderEmbeddingTensorName, SourceTensor>>
  readonly layers: readonly EncoderLayerTensors[]
}
