import {
  floatRows,
  floatVector,
  plainMatrix,
  planFile,
  projection,
  stack,
  type TensorPlan,
  type WeightFilePlan
} from '@resultity/formats'
import { fileAsItIs } from '../../import/voice-file.ts'
import type { BarkSource, Operand, VoicePrompt } from './bark-source.ts'

/**
 * The weight files of a Bark in the manifest's order, and behind them that of what its voices have said. All is stored as f32: a token
 * that is another changes all that follow it.
 */
export function planBarkFiles({ files, voices }: BarkSource): {
  layers: WeightFilePlan[]
  prompts: WeightFilePlan | undefined
} {
  const numbers = Int16Array.from(voices.flatMap(voiceNumbers))
  const prompts = numbers.length === 0 ? undefined : fileAsItIs(new Uint8Array(numbers.buffer))
  return { layers: files.map(operands => planFile(operands.map(planned))), prompts }
}

function voiceNumbers({ semantic, coarse, fine }: VoicePrompt): number[] {
  return [...semantic, ...coarse.flat(), ...fine.flat()]
}

function planned({ name, use, parts }: Operand): TensorPlan {
  if (use === 'vector') return floatVector(name, parts)
  const matrix = stack(name, parts)
  if (use === 'matrix') return projection(matrix, { dequantize: true })
  return plainMatrix(matrix, 'f32', [matrix.rows, matrix.columns], () => floatRows(matrix))
}
