import type { NamedTensors } from '@resultity/formats'
import { patchCount, type SightConfig } from '@resultity/interface'
import type { Operand } from '../import/blip-source.ts'
import { OperandFinder } from '../import/operand-finder.ts'
import type { SightSource } from './sight-source.ts'

/** What a decoder's own reader takes, or refuses. */
const OF_TEXT = /^model\.text_model\.|^lm_head\./

const VISION = 'model.vision_model.'

/**
 * Finds every tensor of an Idefics 3 that has to do with pictures by its name, once, and checks its shape.
 *
 * @param file names it in errors
 * @param hiddenSize numbers of a state of the decoder
 * @throws MeshError `model_invalid` for a missing, misshapen or unknown tensor
 */
export function collectSight(
  file: string,
  config: SightConfig,
  hiddenSize: number,
  tensors: NamedTensors
): Pick<SightSource, 'ends' | 'layers'> {
  const finder = new OperandFinder(file, tensors)
  const { tower, patchSize, shuffle } = config
  const size = tower.hiddenSize
  const ends = [
    finder.patches(`${VISION}embeddings.patch_embedding.weight`, size, patchSize),
    finder.vector('patch_bias', [`${VISION}embeddings.patch_embedding.bias`], size),
    finder.table('places', `${VISION}embeddings.position_embedding.weight`, [patchCount(config), size]),
    ...finder.norm('seen_norm', `${VISION}post_layernorm`, size),
    finder.matrix('connector', 'model.connector.modality_projection.proj.weight', [hiddenSize, size * shuffle ** 2])
  ]
  const layers = Array.from({ length: tower.layerCount }, (_, index) =>
    layerOf(finder, `${VISION}encoder.layers.${index}.`, tower)
  )
  finder.refuseOthers(name => OF_TEXT.test(name), 'Idefics 3', 'supported are SmolVLM and Idefics 3 as published')
  return { ends, layers }
}

function layerOf(
  finder: OperandFinder,
  prefix: string,
  { hiddenSize, feedForwardSize }: SightConfig['tower']
): Operand[] {
  const own = ['q', 'k', 'v'].map(name => `${prefix}self_attn.${name}_proj`)
  return [
    ...finder.norm('attention_norm', `${prefix}layer_norm1`, hiddenSize),
    ...finder.weighted('qkv', own, [3 * hiddenSize, hiddenSize]),
    ...finder.weighted('output', [`${prefix}self_attn.out_proj`], [hiddenSize, hiddenSize]),
    ...finder.norm('feed_forward_norm', `${prefix}layer_norm2`, hiddenSize),
    ...finder.weighted('up', [`${prefix}mlp.fc1`], [feedForwardSize, hiddenSize]),
    ...finder.weighted('down', [`${prefix}mlp.fc2`], [hiddenSize, feedForwardSize])
  ]
}
