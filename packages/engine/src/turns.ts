import type { WorkClass } from '@resultity/interface'

/** What one queue of runs knows. Times are milliseconds of one clock. */
export interface TurnState {
  readonly nowMs: number
  /** Runs that wait, by class. */
  readonly waiting: Readonly<Record<WorkClass, number>>
  /** Batch runs make way until then: interactive work is under way in this engine. Infinity while its end is not known. */
  readonly yieldUntilMs: number
  /** From then on a batch run that waits goes first, whatever else there is. */
  readonly batchOwedAtMs: number
}

/** The class whose run begins now; or how long nothing does, unless something changes; undefined where nothing waits. */
export type Turn = WorkClass | { readonly waitMs: number } | undefined

/** What is under way for those who wait: an answer that has no token yet, or one that has. */
export type InteractivePhase = 'first-token' | 'answering'

/**
 * Of a queue's time, what batch work gets however much interactive work there is. Where stages share a machine, a batch
 * run on one slows an interactive run on the other; answers that take longer delay the first tokens of others.
 */
const BATCH_SHARE: Readonly<Record<InteractivePhase, number>> = { 'first-token': 1 / 50, answering: 1 / 8 }

/** Interactive runs first, and batch runs only where nothing interactive is under way; but batch work has its share. Pure. */
export function nextTurn({ nowMs, waiting, yieldUntilMs, batchOwedAtMs }: TurnState): Turn {
  if (waiting.batch > 0 && nowMs >= batchOwedAtMs) return 'batch'
  if (waiting.interactive > 0) return 'interactive'
  if (waiting.batch === 0) return undefined
  if (nowMs >= yieldUntilMs) return 'batch'
  return { waitMs: Math.min(yieldUntilMs, batchOwedAtMs) - nowMs }
}

/**
 * When batch work that has waited since `sinceMs` has waited for its share: in proportion to how long its runs take, so
 * that slow models and long chunks do not take more of it.
 */
export function batchOwedAt(sinceMs: number, batchRunMs: number, phase: InteractivePhase): number {
  return sinceMs + batchRunMs * (1 / BATCH_SHARE[phase] - 1)
}
