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
import type { SightSource } from '../sight/sight-source.ts'
import type { BlipSource, Operand } from './blip-source.ts'

/** The weight files of what looks at pictures for a decoder, in the manifest's order. All is stored as f32. */
export function planSightFiles({ config, ends, layers }: SightSource): WeightFilePlan[] {
  return planTower(config.tower.hiddenSize, ends, layers)
}

/** The weight files of a BLIP in the manifest's order. All is stored as f32: texts are compared token by token with others'. */
export function planBlipFiles({ config, ends, layers }: BlipSource): WeightFilePlan[] {
  return planTower(config.vision.hiddenSize, ends, layers)
}

/** @param patchSize numbers of a patch's state */
function planTower(
  patchSize: number,
  ends: readonly Operand[],
  layers: readonly (readonly Operand[])[]
): WeightFilePlan[] {
  const first = ends.map(end => (end.name === 'patch' ? convolution(end, patchSize) : planned(end)))
  return [planFile(first), ...layers.map(layer => planFile(layer.map(planned)))]
}

function planned({ name, use, parts }: Operand): TensorPlan {
  if (use === 'vector') return floatVector(name, parts)
  return use === 'table' ? floatTable(name, parts[0]) : projection(stack(name, parts), { dequantize: true })
}

/** As the operator reads it: all that one output takes in one row. */
function convolution({ name, parts }: Operand, outputs: number): TensorPlan {
  const matrix = stack(name, parts)
  return plainMatrix(matrix, 'f32', [outputs, (matrix.rows / outputs) * matrix.columns], () => floatRows(matrix))
}
