import { type JobChange, leaseLost } from './job-change.ts'
import type { JobRow } from './job-row.ts'
import type { StoredJob } from './sqlite-job-messages.ts'
import type { JobStatements } from './sqlite-job-statements.ts'

export function stored(statements: JobStatements, row: JobRow): StoredJob {
  const content = statements.content.get(row.seq)
  if (content === undefined) throw new Error(`job ${row.id} has no content`)
  return { row, content }
}

/** The job that a claim is about. */
export function held(statements: JobStatements, id: string): JobRow {
  const row = statements.byId.get(id)
  if (row === undefined) throw leaseLost(id, 'it was removed')
  return row
}

/** Writes a decided change. */
export function apply(statements: JobStatements, row: JobRow, { set, entries, content }: JobChange): JobRow {
  const next = { ...row, ...set }
  if (entries !== undefined) statements.insertLog.run(row.seq, next.event_count, entries.text)
  const changed = Object.keys(set)
  if (changed.every(name => name === 'event_count' || name === 'used_bytes') && changed.length > 0) {
    // the one that runs for every token: the indexes do not have to be looked at
    statements.updateLogSize.run(next.event_count, next.used_bytes, row.seq)
  } else if (changed.length > 0) statements.update.run(next)
  if (content !== undefined) {
    statements.updateContent.run({ result: null, error: null, usage: null, ...content, seq: row.seq })
  }
  return next
}

export function remove(statements: JobStatements, seq: number): void {
  statements.deleteLogs.run(seq)
  statements.deleteContent.run(seq)
  statements.deleteJob.run(seq)
}
