import {
  floatTable,
  floatVector,
  planFile,
  projection,
  type SourceTensor,
  stack,
  type TensorPlan,
  type WeightFilePlan
} from '@resultity/formats'
import type { EncoderHeadTensors, EncoderLayerTensorName, EncoderLayerTensors, EncoderSource } from './model-source.ts'

/** Encoders come in plain numbers, and are stored as f32. */
const PLAIN = { dequantize: true }

/** The weight files of an encoder in the manifest's order: embedding, layers, and a classifier's head. */
export function planEncoderFiles({ embedding, layers, head }: EncoderSource): WeightFilePlan[] {
  const { words, positions, token_types, norm, norm_bias } = embedding
  const tables = planFile([
    floatTable('words', words),
    floatTable('positions', positions),
    floatTable('token_types', token_types),
    floatVector('norm', [norm]),
    floatVector('norm_bias', [norm_bias])
  ])
  const heads = head === undefined ? [] : [planFile(headTensors(head))]
  return [tables, ...layers.map(layer => planFile(layerTensors(layer))), ...heads]
}

function headTensors(head: EncoderHeadTensors): TensorPlan[] {
  return [
    projection(stack('pooler', [head.pooler]), PLAIN),
    floatVector('pooler_bias', [head.pooler_bias]),
    projection(stack('classifier', [head.classifier]), PLAIN),
    floatVector('classifier_bias', [head.classifier_bias])
  ]
}

function layerTensors(layer: EncoderLayerTensors): TensorPlan[] {
  const single = (name: EncoderLayerTensorName): readonly [SourceTensor] => [layer[name]]
  return [
    projection(stack('qkv', [layer.q, layer.k, layer.v]), PLAIN),
    floatVector('qkv_bias', [layer.q_bias, layer.k_bias, layer.v_bias]),
    projection(stack('output', single('output')), PLAIN),
    floatVector('output_bias', single('output_bias')),
    floatVector('attention_norm', single('attention_norm')),
    floatVector('attention_norm_bias', single('attention_norm_bias')),
    projection(stack('up', single('up')), PLAIN),
    floatVector('up_bias', single('up_bias')),
    projection(stack('down', single('down')), PLAIN),
    floatVector('down_bias', single('down_bias')),
    floatVector('output_norm', single('output_norm')),
    floatVector('output_norm_bias', single('output_norm_bias'))
  ]
}
