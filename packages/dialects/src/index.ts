export {
  type EffortUse,
  effortVariables,
  REASONING_EFFORTS,
  type ReasoningControls,
  type ReasoningEffort
} from './reasoning/effort.ts'
export type { AnswerReasoning, ReadText, ReasoningFormat, ReasoningReader } from './reasoning/reasoning-format.ts'
export { type ModelText, recogniseReasoning } from './reasoning/recognise-reasoning.ts'
