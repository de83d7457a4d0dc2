import type { JobWeight } from '@resultity/access'
import { MeshError } from '@resultity/interface'
import type { BatchFailure } from '@resultity/store'
import { placesOf } from '../answer-size.ts'
import type { PreparedJob } from '../job-kind.ts'
import type { Numbered } from './batch-input.ts'
import type { PreparedLine } from './batch-line.ts'
import { type Unanswered, unansweredMessages } from './batch-output.ts'

export type FinalStatus = 'completed' | 'expired' | 'cancelled' | 'failed'

/** Error codes of lines without an answer, by the batch's final status. */
export const unansweredBy: Readonly<Record<FinalStatus, Unanswered>> = {
  completed: 'batch_cancelled',
  cancelled: 'batch_cancelled',
  expired: 'batch_expired',
  failed: 'batch_unauthorized'
}

/** Errors after which a batch waits and tries again. */
export const PATIENT: ReadonlySet<string> = new Set(['resource_exhausted', 'storage_low', 'storage_quota_exceeded'])

/** The error of a batch whose key has lost its rights. */
export function unauthorized(): MeshError {
  const message = unansweredMessages.batch_unauthorized
  return new MeshError('unauthenticated', message, { details: { reason: 'batch_unauthorized' } })
}

export function failureOf({ clientCode, message }: MeshError): BatchFailure {
  return { code: clientCode, message, line: null, param: null }
}

/**
 * What is wrong with a file of so many lines, if anything. Pure.
 * @param over number of the first line that is one too many
 */
export function lineCountFailure(count: number, max: number, over: number | null): BatchFailure | undefined {
  const param = 'input_file_id'
  if (count === 0) return { code: 'empty_file', message: 'The input file has no lines.', line: null, param }
  if (over === null) return undefined
  return { code: 'too_many_tasks', message: `The input file has more than ${max} lines. Split it.`, line: over, param }
}

export function weightOf(prepared: PreparedJob): JobWeight {
  return { tokens: prepared.tokens.prompt + prepared.tokens.answerMax, places: placesOf(prepared) }
}

export function weightsOf(lines: readonly Numbered<PreparedLine>[]): JobWeight[] {
  return lines.flatMap(({ line }) => (line.type === 'job' ? [weightOf(line.prepared)] : []))
}

/** How many of these lines there are up to the end, or to the first that is a job too many. Pure. */
export function linesWith(lines: readonly Numbered<PreparedLine>[], jobs: number): number {
  let left = jobs
  const over = lines.findIndex(({ line }) => line.type === 'job' && left-- === 0)
  return over === -1 ? lines.length : over
}
