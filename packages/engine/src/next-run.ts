import type { WorkClass } from '@resultity/interface'
import { nextTurn, type TurnState } from './turns.ts'

/** What waits of one class. */
export interface WaitingRuns {
  /** Steps of one position, which are computed together. */
  readonly steps: number
  /** Runs that have the stage to themselves, such as chunks of a prompt. */
  readonly alone: number
}

/** What a queue of runs knows. Times are milliseconds of one clock. */
export interface QueueState extends Omit<TurnState, 'waiting'> {
  readonly waiting: Readonly<Record<WorkClass, WaitingRuns>>
  /** The last run was one of steps. */
  readonly steppedLast: boolean
  /** Until then steps wait for others that are about to come. Infinity while the event loop has to turn first. */
  readonly companyUntilMs: number
}

/**
 * The run that begins now: one alone, or the steps of these classes; or what is waited for: company, or as long as nothing
 * changes. Undefined where nothing waits.
 */
export type NextRun =
  | { readonly alone: WorkClass }
  | { readonly steps: readonly WorkClass[] }
  | 'company'
  | { readonly waitMs: number }
  | undefined

/**
 * The class is that of {@link nextTurn}. Within it steps and chunks alternate, and all steps that wait go together, so that
 * a step waits for one chunk at the most. A run of batch steps takes the interactive ones along: they would wait for it. Pure.
 */
export function nextRun(state: QueueState): NextRun {
  const { waiting, steppedLast } = state
  const turn = nextTurn({ ...state, waiting: { interactive: total(waiting.interactive), batch: total(waiting.batch) } })
  if (turn === undefined || typeof turn === 'object') return turn
  // what batch work is owed comes after the steps that have just waited for a chunk
  const overdue = !steppedLast && waiting.interactive.steps > 0
  const { steps, alone } = waiting[turn]
  if (!overdue && alone > 0 && (steppedLast || steps === 0)) return { alone: turn }
  if (state.nowMs < state.companyUntilMs) return 'company'
  const classes: readonly WorkClass[] = turn === 'batch' ? ['interactive', 'batch'] : ['interactive']
  return { steps: classes.filter(workClass => waiting[workClass].steps > 0) }
}

function total({ steps, alone }: WaitingRuns): number {
  return steps + alone
}
