import {
  floatRows,
  floatTable,
  floatVector,
  plainMatrix,
  planFile,
  projection,
  stack,
  type TensorPlan,
  type WeightFilePlan
} from '@resultity/formats'
import { isNorm } from './naming.ts'
import type { EndOperand, LayerOperand, LayerTensors, Weighted, WhisperSource } from './whisper-source.ts'

/** All is stored as f32: a transcript is compared token by token with that of other programs. */
const PLAIN = { dequantize: true }

/** The weight files of a Whisper in the manifest's order: what is no layer's, the encoder's layers, the decoder's. */
export function planWhisperFiles(source: WhisperSource): WeightFilePlan[] {
  const ends = [...source.ends].flatMap(([operand, weighted]) =>
    endTensors(operand, weighted, source.config.hiddenSize)
  )
  const looked = [...source.tables].map(([name, tensor]) => floatTable(name, tensor))
  const layers = [...source.encoderLayers, ...source.decoderLayers]
  return [planFile([...ends, ...looked]), ...layers.map(layer => planFile(layerTensors(layer)))]
}

function endTensors(operand: EndOperand, { weight, bias }: Weighted, outputs: number): TensorPlan[] {
  const shift = floatVector(`${operand}_bias`, bias)
  if (isNorm(operand)) return [floatVector(operand, weight), shift]
  const matrix = stack(operand, weight)
  // as the operator reads it, each output's taps in one row
  const row = (matrix.rows / outputs) * matrix.columns
  return [plainMatrix(matrix, 'f32', [outputs, row], () => floatRows(matrix)), shift]
}

function layerTensors(layer: LayerTensors): TensorPlan[] {
  return [...layer].flatMap(([operand, weighted]) => operandTensors(operand, weighted))
}

function operandTensors(operand: LayerOperand, { weight, bias }: Weighted): TensorPlan[] {
  const shift = floatVector(`${operand}_bias`, bias)
  return [isNorm(operand) ? floatVector(operand, weight) : projection(stack(operand, weight), PLAIN), shift]
}
