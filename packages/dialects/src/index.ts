export {
  type EffortUse,
  effortVariables,
  REASONING_EFFORTS,
  type ReasoningControls,
  type ReasoningEffort
} from './reasoning/effort.ts'
export type { AnswerReasoning, ReadText, ReasoningFormat, ReasoningReader } from './reasoning/reasoning-format.ts'
export { type ModelText, recogniseReasoning } from './reasoning/recognise-reasoning.ts'
export { CUSTOM_ARGUMENT, CustomInput } from './tools/custom-input.ts'
export { HeldCallsReader } from './tools/held-calls-reader.ts'
export { hermesDialect } from './tools/hermes-dialect.ts'
export { recogniseDialect } from './tools/recognise-dialect.ts'
export type { AnswerPiece, AnswerReader, AnswerReaderInit, ToolDialect } from './tools/tool-dialect.ts'
