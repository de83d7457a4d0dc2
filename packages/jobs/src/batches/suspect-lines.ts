import { MeshError } from '@resultity/interface'
import type { BatchPreparing } from '@resultity/store'
import type { BatchLine, PreparedLine } from './batch-line.ts'

/** The state before any line has started. */
const NOTHING: BatchPreparing = { begun: null, deaths: {} }

/**
 * The state for a new attempt: lines that had started, and whose process ended before they did, get one more death.
 * Pure.
 */
export function afterDeath(stored: BatchPreparing | null): BatchPreparing {
  const { begun, deaths } = stored ?? NOTHING
  if (begun === null) return { begun, deaths }
  const [first, last] = begun
  const more = { ...deaths }
  for (let line = first; line <= last; line++) more[line] = deathsOf(deaths, line) + 1
  return { begun: null, deaths: more }
}

export function deathsOf(deaths: BatchPreparing['deaths'], line: number): number {
  return deaths[line] ?? 0
}

/**
 * Groups of lines that are prepared together. A line over which a process has ended is prepared alone, so that the next
 * death names it. Pure.
 */
export function partsOf<Line extends { readonly number: number }>(
  lines: readonly Line[],
  deaths: BatchPreparing['deaths']
): Line[][] {
  const parts: Line[][] = []
  let open: Line[] | undefined
  for (const line of lines) {
    if (deathsOf(deaths, line.number) > 0) {
      parts.push([line])
      open = undefined
    } else if (open === undefined) {
      open = [line]
      parts.push(open)
    } else open.push(line)
  }
  return parts
}

/** The error of a line over which this many processes have ended. */
export function poisoned({ customId }: BatchLine, times: number): PreparedLine {
  const message = `${times} coordinators ended while they read this line`
  const hint = 'It may be what ended them: it is not read again.'
  return { type: 'error', customId, error: new MeshError('interrupted_too_often', message, { hint }) }
}
