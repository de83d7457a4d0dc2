import type { EncoderConfig } from '@resultity/interface'
import type {
  EncoderEmbeddingTensorName,
  EncoderLayerTensorName,
  EncoderLayerTensors,
  SourceTensor
} from './model-source.ts'
import { type NamedTensors, TensorFinder } from './tensor-finder.ts'

/** What checkpoints carry beside the encoder: indices, and heads of other tasks that sentence vectors do not use. */
export const NOT_WEIGHTS = /(^|\.)(embeddings\.position_ids|embeddings\.token_type_ids)$|^(bert\.)?pooler\.|^cls\./

const embeddingNames: Readonly<Record<EncoderEmbeddingTensorName, string>> = {
  words: 'word_embeddings.weight',
  positions: 'position_embeddings.weight',
  token_types: 'token_type_embeddings.weight',
  norm: 'LayerNorm.weight',
  norm_bias: 'LayerNorm.bias'
}

const layerNames: Readonly<Record<EncoderLayerTensorName, string>> = {
  q: 'attention.self.query.weight',
  q_bias: 'attention.self.query.bias',
  k: 'attention.self.key.weight',
  k_bias: 'attention.self.key.bias',
  v: 'attention.self.value.weight',
  v_bias: 'attention.self.value.bias',
  output: 'attention.output.dense.weight',
  output_bias: 'attention.output.dense.bias',
  attention_norm: 'attention.output.LayerNorm.weight',
  attention_norm_bias: 'attention.output.LayerNorm.bias',
  up: 'intermediate.dense.weight',
  up_bias: 'intermediate.dense.bias',
  down: 'output.dense.weight',
  down_bias: 'output.dense.bias',
  output_norm: 'output.LayerNorm.weight',
  output_norm_bias: 'output.LayerNorm.bias'
}

/** Finds every tensor of a BERT by its name and checks its shape against what the configuration implies. */
export class BertTensors {
  readonly #config: EncoderConfig
  readonly #finder: TensorFinder
  /** Checkpoints of models with a head put the encoder below this name. */
  readonly #prefix: string

  constructor(file: string, config: EncoderConfig, tensors: NamedTensors) {
    this.#config = config
    this.#finder = new TensorFinder(file, tensors)
    const bare = tensors.get(`embeddings.${embeddingNames.words}`) !== undefined
    this.#prefix = bare ? '' : 'bert.'
  }

  /** @throws MeshError `model_invalid` for a missing, misshapen or unknown tensor */
  collect(): { embedding: Record<EncoderEmbeddingTensorName, SourceTensor>; layers: EncoderLayerTensors[] } {
    const { layerCount } = this.#config
    const embedding = this.#embedding()
    const layers = Array.from({ length: layerCount }, (_, index) => this.#layer(index))
    const hint = 'supported are BERT encoders as sentence-transformers publishes them'
    this.#finder.refuseOthers(name => NOT_WEIGHTS.test(name), 'BERT', hint)
    return { embedding, layers }
  }

  #embedding(): Record<EncoderEmbeddingTensorName, SourceTensor> {
    const { hiddenSize, vocabularySize, positionCount, tokenTypeCount } = this.#config
    const find = (name: EncoderEmbeddingTensorName, rows = 1): SourceTensor =>
      this.#finder.matrix(`${this.#prefix}embeddings.${embeddingNames[name]}`, rows, hiddenSize)
    return {
      words: find('words', vocabularySize),
      positions: find('positions', positionCount),
      token_types: find('token_types', tokenTypeCount),
      norm: find('norm'),
      norm_bias: find('norm_bias')
    }
  }

  #layer(index: number): EncoderLayerTensors {
    const { hiddenSize, intermediateSize } = this.#config
    const find = (name: EncoderLayerTensorName, columns: number, rows = 1): SourceTensor =>
      this.#finder.matrix(`${this.#prefix}encoder.layer.${index}.${layerNames[name]}`, rows, columns)
    return {
      q: find('q', hiddenSize, hiddenSize),
      q_bias: find('q_bias', hiddenSize),
      k: find('k', hiddenSize, hiddenSize),
      k_bias: find('k_bias', hiddenSize),
      v: find('v', hiddenSize, hiddenSize),
      v_bias: find('v_bias', hiddenSize),
      output: find('output', hiddenSize, hiddenSize),
      output_bias: find('output_bias', hiddenSize),
      attention_norm: find('attention_norm', hiddenSize),
      attention_norm_bias: find('attention_norm_bias', hiddenSize),
      up: find('up', hiddenSize, intermediateSize),
      up_bias: find('up_bias', intermediateSize),
      down: find('down', intermediateSize, hiddenSize),
      down_bias: find('down_bias', hiddenSize),
      output_norm: find('output_norm', hiddenSize),
      output_norm_bias: find('output_norm_bias', hiddenSize)
    }
  }
}
