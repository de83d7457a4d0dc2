import type { NamedTensors } from '@resultity/formats'
import { type BlipConfig, type BlipTower, lookedAtLength } from '@resultity/interface'
import type { BlipSource, Operand } from './blip-source.ts'
import { OperandFinder, type Shape } from './operand-finder.ts'

/** Heads of other tasks, and a second name of the head's bias. */
const PASSED_OVER = /(^|\.)pooler\.|^text_decoder\.cls\.predictions\.decoder\.bias$/

const DECODER = 'text_decoder.bert.'
/** What reads the question, in a model that answers. */
export const QUESTION_READER = 'text_encoder.'
/** What turns a state of the decoder into logits. */
const HEAD = 'text_decoder.cls.predictions.'

/** Finds every tensor of a BLIP by its name, once, and checks its shape against what the configuration implies. */
export class BlipTensors {
  readonly #config: BlipConfig
  readonly #tensors: NamedTensors
  readonly #finder: OperandFinder

  /** @param file names it in errors */
  constructor(file: string, config: BlipConfig, tensors: NamedTensors) {
    this.#config = config
    this.#tensors = tensors
    this.#finder = new OperandFinder(file, tensors)
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
    return [
      this.#finder.patches(`${prefix}patch_embedding.weight`, vision.hiddenSize, patchSize),
      this.#finder.vector('patch_bias', [`${prefix}patch_embedding.bias`], vision.hiddenSize),
      this.#finder.table('class', `${prefix}class_embedding`, [1, vision.hiddenSize]),
      this.#finder.table('places', `${prefix}position_embedding`, [lookedAtLength(this.#config), vision.hiddenSize]),
      ...this.#finder.norm('seen_norm', 'vision_model.post_layernorm', vision.hiddenSize)
    ]
  }

  /** @param ours put before our names: both parts that read text have the same */
  #textEnds(prefix: string, ours: '' | 'asked_'): Operand[] {
    const { text, textContext, vocabularySize } = this.#config
    const of = `${prefix}embeddings.`
    const places = ours === '' ? 'text_places' : 'asked_places'
    const norm = ours === '' ? 'text_norm' : 'asked_norm'
    return [
      this.#finder.table(`${ours}tokens`, `${of}word_embeddings.weight`, [vocabularySize, text.hiddenSize]),
      this.#finder.table(places, `${of}position_embeddings.weight`, [textContext, text.hiddenSize]),
      ...this.#finder.norm(norm, `${of}LayerNorm`, text.hiddenSize)
    ]
  }

  #head(): Operand[] {
    const { text, vocabularySize } = this.#config
    const { hiddenSize } = text
    const own = `${HEAD}decoder.weight`
    // both names are of one vector, and either may be left out
    const bias = this.#tensors.get(`${HEAD}bias`) === undefined ? `${HEAD}decoder.bias` : `${HEAD}bias`
    return [
      ...this.#finder.weighted('turned', [`${HEAD}transform.dense`], [hiddenSize, hiddenSize]),
      ...this.#finder.norm('turned_norm', `${HEAD}transform.LayerNorm`, hiddenSize),
      this.#finder.vector('head_bias', [bias], vocabularySize),
      // without one of its own, it is the embedding's
      ...(this.#tensors.get(own) === undefined ? [] : [this.#finder.table('head', own, [vocabularySize, hiddenSize])])
    ]
  }

  #lookingLayer(prefix: string): Operand[] {
    const { hiddenSize, feedForwardSize } = this.#config.vision
    return [
      ...this.#finder.norm('attention_norm', `${prefix}layer_norm1`, hiddenSize),
      ...this.#finder.weighted('qkv', [`${prefix}self_attn.qkv`], [3 * hiddenSize, hiddenSize]),
      ...this.#finder.weighted('output', [`${prefix}self_attn.projection`], [hiddenSize, hiddenSize]),
      ...this.#finder.norm('feed_forward_norm', `${prefix}layer_norm2`, hiddenSize),
      ...this.#finder.weighted('up', [`${prefix}mlp.fc1`], [feedForwardSize, hiddenSize]),
      ...this.#finder.weighted('down', [`${prefix}mlp.fc2`], [hiddenSize, feedForwardSize])
    ]
  }

  #textLayer(prefix: string): Operand[] {
    const { text, vision } = this.#config
    const { hiddenSize, feedForwardSize } = text
    const square: Shape = [hiddenSize, hiddenSize]
    const own = ['query', 'key', 'value'].map(name => `${prefix}attention.self.${name}`)
    const others = ['key', 'value'].map(name => `${prefix}crossattention.self.${name}`)
    return [
      ...this.#finder.weighted('qkv', own, [3 * hiddenSize, hiddenSize]),
      ...this.#finder.weighted('output', [`${prefix}attention.output.dense`], square),
      ...this.#finder.norm('attention_norm', `${prefix}attention.output.LayerNorm`, hiddenSize),
      ...this.#finder.weighted('cross_q', [`${prefix}crossattention.self.query`], square),
      ...this.#finder.weighted('cross_kv', others, [2 * hiddenSize, vision.hiddenSize]),
      ...this.#finder.weighted('cross_output', [`${prefix}crossattention.output.dense`], square),
      ...this.#finder.norm('cross_norm', `${prefix}crossattention.output.LayerNorm`, hiddenSize),
      ...this.#finder.weighted('up', [`${prefix}intermediate.dense`], [feedForwardSize, hiddenSize]),
      ...this.#finder.weighted('down', [`${prefix}output.dense`], [hiddenSize, feedForwardSize]),
      ...this.#finder.norm('feed_forward_norm', `${prefix}output.LayerNorm`, hiddenSize)
    ]
  }
}
