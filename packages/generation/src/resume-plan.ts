import { type MeshError, sharedPrefillSteps } from '@resultity/interface'
import type { HeldPositions, ResumeOrder } from '@resultity/wire'

/** An answer that is to go on. */
export interface ResumeShape {
  readonly promptCount: number
  /** Tokens that stand. */
  readonly committedCount: number
  readonly prefillChunk: number
}

/** After these a node or a link is gone, or a stage could not be had: what the others have computed is right. */
const LOSSES: ReadonlySet<string> = new Set(['node_draining', 'node_lost', 'peer_unreachable', 'unavailable'])
const REFUSALS: ReadonlySet<string> = new Set([
  'deadline_exceeded',
  'resource_exhausted',
  'session_forbidden',
  'session_unknown'
])

/**
 * Whether the stages of a route that ended with `error` may keep the session's cache for the next route. Not where a stage
 * computed what cannot be, or nobody knows why the route is stuck: whatever went wrong may have left its mark there.
 */
export function leavesCaches({ code, details }: MeshError): boolean {
  if (REFUSALS.has(code)) return true
  const named = details.peerId !== undefined || details.link !== undefined
  return LOSSES.has(code) && named && details.faulty !== true
}

/**
 * Most positions that a stage may keep: behind them comes the step that gives the last committed token, so that the last stage
 * samples that once more. In the prompt it is where a step begins, for steps of other lengths round otherwise.
 */
export function keepLimit({ promptCount, committedCount, prefillChunk }: ResumeShape): number {
  if (committedCount > 1) return promptCount + committedCount - 2
  return sharedPrefillSteps(promptCount, prefillChunk) * prefillChunk
}

/** Whether a step begins at `position`, of which at most {@link keepLimit} are kept. */
export function beginsStep(position: number, { promptCount, prefillChunk }: ResumeShape): boolean {
  if (position >= promptCount) return true
  return position % prefillChunk === 0 && position <= sharedPrefillSteps(promptCount, prefillChunk) * prefillChunk
}

/**
 * Where each stage of a route goes on, so that none computes again what it has. A stage that has more than the next one sends
 * it what it had sent of that. One that has not kept this computes it again, and what it needs for that comes from the stage
 * before it in the same way. So a lost stage is all that computes, where the one before it has kept what it sent.
 *
 * @param held of each stage in order; undefined of one that does not know how to go on. Then all begin with nothing
 */
export function planResume(held: readonly (HeldPositions | undefined)[]): readonly ResumeOrder[] {
  if (held.includes(undefined)) return held.map(() => ({ begin: 0, sendFrom: 0 }))
  let next: number | undefined
  const orders = held.toReversed().map((stage): ResumeOrder => {
    const { held: has, loggedFrom } = stage ?? { held: 0, loggedFrom: 0 }
    const sendFrom = next ?? has
    const begin = sendFrom >= has || loggedFrom <= sendFrom ? has : sendFrom
    next = begin
    return { begin, sendFrom }
  })
  return orders.toReversed()
}
