import { type NamedTensors, type SourceTensor, TensorFinder } from '@resultity/formats'
import type { BarkConfig } from '@resultity/interface'
import type { Operand, Parts } from './bark-source.ts'
import { CodecTensors } from './codec-tensors.ts'
import { zeroVector } from './derived-tensors.ts'

/**
 * What is not read: masks of attention, what turns sound into codes, what codebooks were trained with, and heads of the fine
 * transformer, which are its tables.
 */
const PASSED_OVER =
  /\.attn\.bias$|^codec_model\.encoder\.|\.codebook\.(inited|cluster_size|embed_avg)$|^fine_acoustics\.lm_heads\.\d+\.weight$/

/** Sizes of a transformer. */
interface Sizes {
  readonly layerCount: number
  readonly hiddenSize: number
  readonly context: number
}

/** Finds every tensor of a Bark by its name, once, and checks its shape against what the configuration implies. */
export class BarkTensors {
  readonly #config: BarkConfig
  readonly #tensors: NamedTensors
  readonly #finder: TensorFinder

  /** @param file names it in errors */
  constructor(file: string, config: BarkConfig, tensors: NamedTensors) {
    this.#config = config
    this.#tensors = tensors
    this.#finder = new TensorFinder(file, tensors)
  }

  /** The operands of each weight file. @throws MeshError `model_invalid` for a missing, misshapen or unknown tensor */
  collect(): Operand[][] {
    const { semantic, coarse, fine, codec } = this.#config
    const files = [
      ...this.#written('semantic', semantic, semantic.inputVocabularySize, semantic.outputVocabularySize),
      ...this.#written('coarse_acoustics', coarse, coarse.vocabularySize, coarse.vocabularySize),
      ...this.#fine('fine_acoustics', fine, fine.vocabularySize),
      new CodecTensors(codec, this.#finder, this.#tensors).collect(fine.codebookCount)
    ]
    this.#finder.refuseOthers(name => PASSED_OVER.test(name), 'Bark', 'supported are Barks as suno publishes them')
    return files
  }

  #written(part: string, sizes: Sizes, inputs: number, outputs: number): Operand[][] {
    const { hiddenSize } = sizes
    const tokens = this.#finder.matrix(`${part}.input_embeds_layer.weight`, inputs, hiddenSize)
    const head = this.#finder.matrix(`${part}.lm_head.weight`, outputs, hiddenSize)
    const ends: Operand[] = [...this.#ends(part, sizes, [tokens]), { name: 'head', use: 'table', parts: [head] }]
    return [ends, ...this.#layers(part, sizes)]
  }

  #fine(part: string, sizes: BarkConfig['fine'], vocabularySize: number): Operand[][] {
    const table = (book: number): SourceTensor =>
      this.#finder.matrix(`${part}.input_embeds_layers.${book}.weight`, vocabularySize, sizes.hiddenSize)
    const others = Array.from({ length: sizes.codebookCount - 1 }, (_, index) => index + 1)
    return [this.#ends(part, sizes, [table(0), ...others.map(table)]), ...this.#layers(part, sizes)]
  }

  #ends(part: string, { hiddenSize, context }: Sizes, tokens: Parts): Operand[] {
    const places = this.#finder.matrix(`${part}.position_embeds_layer.weight`, context, hiddenSize)
    return [
      { name: 'tokens', use: 'table', parts: tokens },
      { name: 'places', use: 'table', parts: [places] },
      ...this.#norm('last_norm', `${part}.layernorm_final`, hiddenSize)
    ]
  }

  #layers(part: string, { layerCount, hiddenSize }: Sizes): Operand[][] {
    const wide = 4 * hiddenSize
    return Array.from({ length: layerCount }, (_, index) => {
      const prefix = `${part}.layers.${index}.`
      return [
        ...this.#norm('attention_norm', `${prefix}layernorm_1`, hiddenSize),
        ...this.#weighted('qkv', `${prefix}attn.att_proj`, 3 * hiddenSize, hiddenSize),
        ...this.#weighted('output', `${prefix}attn.out_proj`, hiddenSize, hiddenSize),
        ...this.#norm('feed_forward_norm', `${prefix}layernorm_2`, hiddenSize),
        ...this.#weighted('up', `${prefix}mlp.in_proj`, wide, hiddenSize),
        ...this.#weighted('down', `${prefix}mlp.out_proj`, hiddenSize, wide)
      ]
    })
  }

  #weighted(name: string, theirs: string, rows: number, columns: number): Operand[] {
    const matrix = this.#finder.matrix(`${theirs}.weight`, rows, columns)
    return [{ name, use: 'matrix', parts: [matrix] }, this.#bias(name, theirs, rows)]
  }

  #norm(name: string, theirs: string, size: number): Operand[] {
    return [
      { name, use: 'vector', parts: [this.#finder.vector(`${theirs}.weight`, size)] },
      this.#bias(name, theirs, size)
    ]
  }

  /** Published models have none in what is written, and some in the fine transformer. */
  #bias(name: string, theirs: string, size: number): Operand {
    const own = `${theirs}.bias`
    const part = this.#tensors.get(own) === undefined ? zeroVector(own, size) : this.#finder.vector(own, size)
    return { name: `${name}_bias`, use: 'vector', parts: [part] }
  }
}
