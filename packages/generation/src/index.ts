export type { AnswerExtent, ConstraintCheck } from './constraints/constraint-messages.ts'
export { Constraints } from './constraints/constraints.ts'
export {
  type Generation,
  GenerationDriver,
  type GenerationEvent,
  type GenerationRequest,
  type Generator
} from './generation.ts'
export { DEFAULT_GENERATION_LIMITS, type GenerationLimits } from './generation-limits.ts'
export { heldConstraint } from './held-constraint.ts'
export { type DescriberComponents, type Description, describe } from './node-jobs/describer.ts'
export { embed } from './node-jobs/embedder.ts'
export { callJob, type JobCallComponents, type JobCallInit, type JobChunks } from './node-jobs/job-call.ts'
export { NodeJobs } from './node-jobs/node-jobs.ts'
export type { PaintEvent, PaintRequest } from './node-jobs/paint-request.ts'
export { type PainterComponents, paint } from './node-jobs/painter.ts'
export { pictureSizes } from './node-jobs/picture-sizes.ts'
export { type Manner, type SpeakerComponents, type SpokenSentence, speak } from './node-jobs/speaker.ts'
export { type TranscribedPiece, type TranscriberComponents, transcribe } from './node-jobs/transcriber.ts'
export { AnswerProgress } from './progress/answer-progress.ts'
export type { Reroutes } from './recovery-state.ts'
export { RouteLeases } from './route-leases.ts'
export type { PromptPiece, RouteSessionComponents } from './route-session-init.ts'
export type { NodeAddress } from './stage-control.ts'
export type { Usage } from './usage.ts'
