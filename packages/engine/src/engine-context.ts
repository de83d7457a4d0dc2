import type { ProcessTuning } from '@resultity/runtime-tuning'
import type { BatchGate } from './batch-gate.ts'

/** What all stages and encoders of an engine share. */
export interface EngineContext {
  readonly gate: BatchGate
  readonly tuning: ProcessTuning
}
