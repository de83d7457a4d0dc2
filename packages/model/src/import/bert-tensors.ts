import { type NamedTensors, type SourceTensor, TensorFinder } from '@resultity/formats'
import type { EncoderConfig } from '@resultity/interface'
import type {
  EncoderEmbeddingTensorName,
  EncoderHeadTensors,
  EncoderLayerTensorName,
  EncoderLayerTensors
} from './model-source.ts'

/** What checkpoints carry beside the encoder: indices, and heads of other tasks. */
const NOT_WEIGHTS = /(^|\.)(embeddings\.position_ids|embeddings\.token_type_ids)$|^cls\./
/** A sentence vector is not made of the first hidden state by a layer of its own. */
const NOT_OF_SENTENCES = new RegExp(`${NOT_WEIGHTS.source}|^(bert\\.)?pooler\\.`)

/** Names of tensors that an encoder does not need. */
export function notWeights({ classifier }: EncoderConfig): RegExp {
  return classifier === undefined ? NOT_OF_SENTENCES : NOT_WEIGHTS
}

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
  collect(): {
    embedding: Record<EncoderEmbeddingTensorName, SourceTensor>
    layers: EncoderLayerTensors[]
    head: EncoderHeadTensors | undefined
  } {
    const { layerCount } = this.#config
    const embedding = this.#embedding()
    const layers = Array.from({ length: layerCount }, (_, index) => this.#layer(index))
    const head = this.#head()
    const hint = 'supported are BERT encoders as sentence-transformers publishes them, and BERT classifiers'
    this.#finder.refuseOthers(name => notWeights(this.#config).test(name), 'BERT', hint)
    return { embedding, layers, head }
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

  #head(): EncoderHeadTensors | undefined {
    const { hiddenSize, classifier } = this.#config
    if (classifier === undefined) return undefined
    const labels = classifier.labels.length
    return {
      pooler: this.#finder.matrix(`${this.#prefix}pooler.dense.weight`, hiddenSize, hiddenSize),
      pooler_bias: this.#finder.vector(`${this.#prefix}pooler.dense.bias`, hiddenSize),
      classifier: this.#finder.matrix('classifier.weight', labels, hiddenSize),
      classifier_bias: this.#finder.vector('classifier.bias', labels)
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
