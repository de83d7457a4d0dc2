import { type NamedTensors, type SourceTensor, TensorFinder } from '@resultity/formats'
import { type BlipConfig, type BlipTower, lookedAtLength } from '@resultity/interface'
import type { BlipSource, Operand, Parts } from './blip-source.ts'

/** Heads of other tasks, and a second name of the head's bias. */
const PASSED_OVER = /(^|\.)pooler\.|^text_decoder\.cls\.predictions\.decoder\.bias$/

const DECODER = 'text_decoder.bert.'
/** What reads the question, in a model that answers. */
export const QUESTION_READER = 'text_encoder.'
/** What turns a state of the decoder into logits. */
const HEAD = 'text_decoder.cls.predictions.'

type Shape = readonly [rows: number, columns: number]

/** Finds every tensor of a BLIP by its name, once, and checks its shape against what the configuration implies. */
export class BlipTensors {
  readonly #config: BlipConfig
  readonly #tensors: NamedTensors
  readonly #finder: TensorFinder

  /** @param file names it in errors */
  constructor(file: string, config: BlipConfig, tensors: NamedTensors) {
    this.#config = config
    this.#tensors = tensors
    this.#finder = new TensorFinder(file, tensors)
  }

  /** @throws MeshError `model_invalid` for a missing, misshapen or unknown tensor */
  collect(): Pick<BlipSource, 'ends' | 'layers'> {
    const { task, vision, text } = this.#config
    const each = (tower: BlipTower, layer: (index: number) => Operand[]): Operand[][] =>
      Array.from({ length: tower.layerCount }, (_, index) => layer(index))
    const asks = task === 'answer'
    const ends = [
      ...this.#lookingEnds(),
      ...this.#textEnds(DECODER, ''),
      ...(asks ? this.#textEnds(QUESTION_READER, 'asked_') : []),
      ...this.#head()
    ]
    const layers = [
      ...each(vision, index => this.#lookingLayer(`vision_model.encoder.layers.${index}.`)),
      ...(asks ? each(text, index => this.#textLayer(`${QUESTION_READER}encoder.layer.${index}.`)) : []),
      ...each(text, index => this.#textLayer(`${DECODER}encoder.layer.${index}.`))
    ]
    const hint = 'supported are BLIPs for captions and for questions, as transformers writes them'
    this.#finder.refuseOthers(name => PASSED_OVER.test(name), 'BLIP', hint)
    return { ends, layers }
  }

  #lookingEnds(): Operand[] {
    const { patchSize, vision } = this.#config
    const prefix = 'vision_model.embeddings.'
    // the innermost dimension of a convolution counts as columns, and all others as rows
    const patch = this.#finder.matrix(`${prefix}patch_embedding.weight`, vision.hiddenSize * 3 * patchSize, patchSize)
    return [
      { name: 'patch', use: 'table', parts: [patch] },
      this.#vector('patch_bias', [`${prefix}patch_embedding.bias`], vision.hiddenSize),
      this.#table('class', `${prefix}class_embedding`, [1, vision.hiddenSize]),
      this.#table('places', `${prefix}position_embedding`, [lookedAtLength(this.#config), vision.hiddenSize]),
      ...this.#norm('seen_norm', 'vision_model.post_layernorm', vision.hiddenSize)
    ]
  }

  /** @param ours put before our names: both parts that read text have the same */
  #textEnds(prefix: string, ours: '' | 'asked_'): Operand[] {
    const { text, textContext, vocabularySize } = this.#config
    const of = `${prefix}embeddings.`
    const places = ours === '' ? 'text_places' : 'asked_places'
    const norm = ours === '' ? 'text_norm' : 'asked_norm'
    return [
      this.#table(`${ours}tokens`, `${of}word_embeddings.weight`, [vocabularySize, text.hiddenSize]),
      this.#table(places, `${of}position_embeddings.weight`, [textContext, text.hiddenSize]),
      ...this.#norm(norm, `${of}LayerNorm`, text.hiddenSize)
    ]
  }

  #head(): Operand[] {
    const { text, vocabularySize } = this.#config
    const { hiddenSize } = text
    const own = `${HEAD}decoder.weight`
    // both names are of one vector, and either may be left out
    const bias = this.#tensors.get(`${HEAD}bias`) === undefined ? `${HEAD}decoder.bias` : `${HEAD}bias`
    return [
      ...this.#weighted('turned', [`${HEAD}transform.dense`], [hiddenSize, hiddenSize]),
      ...this.#norm('turned_norm', `${HEAD}transform.LayerNorm`, hiddenSize),
      this.#vector('head_bias', [bias], vocabularySize),
      // without one of its own, it is the embedding's
      ...(this.#tensors.get(own) === undefined ? [] : [this.#table('head', own, [vocabularySize, hiddenSize])])
    ]
  }

  #lookingLayer(prefix: string): Operand[] {
    const { hiddenSize, feedForwardSize } = this.#config.vision
    return [
      ...this.#norm('attention_norm', `${prefix}layer_norm1`, hiddenSize),
      ...this.#weighted('qkv', [`${prefix}self_attn.qkv`], [3 * hiddenSize, hiddenSize]),
      ...this.#weighted('output', [`${prefix}self_attn.projection`], [hiddenSize, hiddenSize]),
      ...this.#norm('feed_forward_norm', `${prefix}layer_norm2`, hiddenSize),
      ...this.#weighted('up', [`${prefix}mlp.fc1`], [feedForwardSize, hiddenSize]),
      ...this.#weighted('down', [`${prefix}mlp.fc2`], [hiddenSize, feedForwardSize])
    ]
  }

  #textLayer(prefix: string): Operand[] {
    const { text, vision } = this.#config
    const { hiddenSize, feedForwardSize } = text
    const square: Shape = [hiddenSize, hiddenSize]
    const own = ['query', 'key', 'value'].map(name => `${prefix}attention.self.${name}`)
    const others = ['key', 'value'].map(name => `${prefix}crossattention.self.${name}`)
    return [
      ...this.#weighted('qkv', own, [3 * hiddenSize, hiddenSize]),
      ...this.#weighted('output', [`${prefix}attention.output.dense`], square),
      ...this.#norm('attention_norm', `${prefix}attention.output.LayerNorm`, hiddenSize),
      ...this.#weighted('cross_q', [`${prefix}crossattention.self.query`], square),
      ...this.#weighted('cross_kv', others, [2 * hiddenSize, vision.hiddenSize]),
      ...this.#weighted('cross_output', [`${prefix}crossattention.output.dense`], square),
      ...this.#norm('cross_norm', `${prefix}crossattention.output.LayerNorm`, hiddenSize),
      ...this.#weighted('up', [`${prefix}intermediate.dense`], [feedForwardSize, hiddenSize]),
      ...this.#weighted('down', [`${prefix}output.dense`], [hiddenSize, feedForwardSize]),
      ...this.#norm('feed_forward_norm', `${prefix}output.LayerNorm`, hiddenSize)
    ]
  }

  /** A matrix of parts that lie one below the other, and its bias. */
  #weighted(name: string, theirs: readonly string[], [rows, columns]: Shape): Operand[] {
    const share = rows / theirs.length
    const parts = partsOf(theirs, each => this.#finder.matrix(`${each}.weight`, share, columns))
    const biases = theirs.map(each => `${each}.bias`)
    return [{ name, use: 'matrix', parts }, this.#vector(`${name}_bias`, biases, rows)]
  }

  #norm(name: string, theirs: string, size: number): Operand[] {
    return [this.#vector(name, [`${theirs}.weight`], size), this.#vector(`${name}_bias`, [`${theirs}.bias`], size)]
  }

  #vector(name: string, theirs: readonly string[], size: number): Operand {
    const parts = partsOf(theirs, each => this.#finder.vector(each, size / theirs.length))
    return { name, use: 'vector', parts }
  }

  #table(name: string, theirs: string, [rows, columns]: Shape): Operand {
    return { name, use: 'table', parts: [this.#finder.matrix(theirs, rows, columns)] }
  }
}

function partsOf(names: readonly string[], find: (name: string) => SourceTensor): Parts {
  const [first = '', ...others] = names
  return [find(first), ...others.map(find)]
}
