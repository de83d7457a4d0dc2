import type { LayerTensorName } from '@resultity/families'
import type { EncoderConfig, ModelConfig } from '@resultity/interface'
import type { SourceEncoding } from '../quantization/encoding.ts'

/** A tensor of a model file, as the file has it. */
export interface SourceTensor {
  /** Its name in the file, for errors. */
  readonly name: string
  readonly encoding: SourceEncoding
  /** Outputs of a matrix; 1 for a vector. */
  readonly rows: number
  /** Inputs of a matrix, or the size of a vector. */
  readonly columns: number
  /** Bytes of one row. */
  readonly rowBytes: number
  /** Set where rows are stored in the order of interleaved rotary pairs: the size of a head. */
  readonly interleavedHeadDim?: number
  /** Added to every number. */
  readonly addend?: number
  /** Reads rows `[first, first + count)` in the order of the file. */
  read(first: number, count: number): Uint8Array<ArrayBuffer>
}

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
