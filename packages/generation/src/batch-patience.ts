import type { WorkClass } from '@resultity/interface'
import type { RouteSessionLimits } from './route-session-init.ts'

/** Waits of batch work, which gives way to other work on every stage, are that many times as long. */
export const BATCH_PATIENCE = 10

/** Batch work waits for other work on every stage, and is not stuck because of that. */
export function patientLimits(limits: RouteSessionLimits, workClass: WorkClass): RouteSessionLimits {
  if (workClass === 'interactive') return limits
  const { firstTokenMs, promptTokenMs, nextTokenMs } = limits
  return {
    ...limits,
    firstTokenMs: firstTokenMs * BATCH_PATIENCE,
    promptTokenMs: promptTokenMs * BATCH_PATIENCE,
    nextTokenMs: nextTokenMs * BATCH_PATIENCE
  }
}
