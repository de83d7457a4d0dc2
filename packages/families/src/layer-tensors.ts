import { expertsOf, type ModelConfig } from '@resultity/interface'

/** Tensors of one decoder layer, of which a model has those that its traits name. */
export const layerTensorNames = [
  'input_norm',
  'q',
  'k',
  'v',
  'q_bias',
  'k_bias',
  'v_bias',
  'q_norm',
  'k_norm',
  'output',
  'attention_out_norm',
  'post_norm',
  'gate',
  'up',
  'down',
  'router',
  'expert_gate',
  'expert_up',
  'expert_down',
  'shared_router',
  'shared_gate',
  'shared_up',
  'shared_down',
  'feed_forward_out_norm'
] as const
export type LayerTensorName = (typeof layerTensorNames)[number]

/** Outputs and inputs of a matrix; a vector has one row. */
export interface TensorShape {
  readonly rows: number
  readonly columns: number
  /** How many of this shape there are, one for each expert; absent where there is one. */
  readonly count?: number
}

/** The tensors of a layer of a model with this configuration, and the shape of each. */
export function layerTensorShapes(config: ModelConfig, layer: number): ReadonlyMap<LayerTensorName, TensorShape> {
  const { hiddenSize, intermediateSize, headCount, kvHeadCount, headDim, traits = {} } = config
  const querySize = headCount * headDim
  const keySize = kvHeadCount * headDim
  const vector = (columns: number): TensorShape => ({ rows: 1, columns })
  const matrix = (rows: number, columns: number): TensorShape => ({ rows, columns })
  const shapes = new Map<LayerTensorName, TensorShape>([
    ['input_norm', vector(hiddenSize)],
    ['q', matrix(querySize, hiddenSize)],
    ['k', matrix(keySize, hiddenSize)],
    ['v', matrix(keySize, hiddenSize)],
    ['output', matrix(hiddenSize, querySize)],
    ['post_norm', vector(hiddenSize)]
  ])
  const experts = expertsOf(config, layer)
  if (experts === undefined) {
    const wide = matrix(intermediateSize, hiddenSize)
    shapes.set('gate', wide).set('up', wide).set('down', matrix(hiddenSize, intermediateSize))
  } else {
    const { count, size, sharedSize } = experts
    const wide = { ...matrix(size, hiddenSize), count }
    shapes.set('router', matrix(count, hiddenSize)).set('expert_gate', wide).set('expert_up', wide)
    shapes.set('expert_down', { ...matrix(hiddenSize, size), count })
    if (sharedSize !== undefined) {
      shapes.set('shared_router', matrix(1, hiddenSize)).set('shared_gate', matrix(sharedSize, hiddenSize))
      shapes.set('shared_up', matrix(sharedSize, hiddenSize)).set('shared_down', matrix(hiddenSize, sharedSize))
    }
  }
  if (traits.attentionBias === true) {
    shapes.set('q_bias', vector(querySize)).set('k_bias', vector(keySize)).set('v_bias', vector(keySize))
  }
  if (traits.headNorms === true) shapes.set('q_norm', vector(headDim)).set('k_norm', vector(headDim))
  if (traits.outputNorms === true) {
    shapes.set('attention_out_norm', vector(hiddenSize)).set('feed_forward_out_norm', vector(hiddenSize))
  }
  return shapes
}

/** True for the weights of a norm. */
export function isNorm(name: LayerTensorName): boolean {
  return name.endsWith('norm')
}
