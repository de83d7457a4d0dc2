import type { BatchLineError, BatchStore, Job, JobState, JobStore } from '@resultity/store'
import type { Numbered } from './batch-input.ts'
import type { PreparedLine } from './batch-line.ts'

/** Jobs read at once: their answers are in memory together. */
const JOBS_AT_ONCE = 100
const ERRORS_AT_ONCE = 500

export interface BatchOutputComponents {
  readonly store: JobStore
  readonly batches: BatchStore
}

/** Why lines have no answer: what their batch came to. */
export type Unanswered = 'batch_cancelled' | 'batch_expired' | 'batch_unauthorized'

export const unansweredMessages: Readonly<Record<Unanswered, string>> = {
  batch_cancelled: 'The batch was cancelled before this request had an answer.',
  batch_unauthorized:
    'The key that made this batch was revoked, has expired or may not ask this any more; the request was not begun before.',
  batch_expired: 'This request was not begun before the completion window of its batch was over.'
}

/** The output file: a line for each request that was answered, in the order of the input. */
export async function* outputLines(groupId: string, { store }: BatchOutputComponents): AsyncGenerator<Uint8Array> {
  for await (const job of jobsOf(groupId, ['succeeded'], store)) {
    if (job.result === null) continue
    yield toLine({
      id: lineId(job.id),
      custom_id: job.customId ?? null,
      response: { status_code: job.result.status, request_id: job.id, body: job.result.body },
      error: null
    })
  }
}

/** The error file: requests that failed, lines that were none, and lines that were not come to. */
export async function* errorLines(
  batch: { readonly id: string; readonly jobId: string },
  components: BatchOutputComponents,
  why: Unanswered,
  untaken: AsyncIterable<BatchLineError>
): AsyncGenerator<Uint8Array> {
  const { store, batches } = components
  for await (const job of jobsOf(batch.jobId, ['failed', 'cancelled', 'expired'], store)) {
    yield toErrorLine(lineId(job.id), job.customId ?? null, errorOf(job, why))
  }
  for (let after = 0; ; ) {
    const errors = await batches.lineErrors(batch.id, after, ERRORS_AT_ONCE)
    for (const one of errors) yield toErrorLine(`${batch.id}_${one.line}`, one.customId, one.error, one.line)
    const last = errors.at(-1)
    if (last === undefined) break
    after = last.line
  }
  for await (const one of untaken) yield toErrorLine(`${batch.id}_${one.line}`, one.customId, one.error, one.line)
}

export function unanswered(line: number, customId: string | null, code: Unanswered): BatchLineError {
  return { line, customId, error: { code, message: unansweredMessages[code], param: null } }
}

async function* jobsOf(groupId: string, states: readonly JobState[], store: JobStore): AsyncGenerator<Job> {
  for (let after: string | undefined; ; ) {
    const page = await store.list({
      groupId,
      states,
      hidden: true,
      order: 'asc',
      limit: JOBS_AT_ONCE,
      ...(after === undefined ? {} : { after })
    })
    yield* page.jobs
    if (!page.hasMore) return
    after = page.jobs.at(-1)?.id
  }
}

/** Errors of jobs whose key may not ask this any more. */
const REFUSALS: ReadonlySet<string> = new Set([
  'batch_unauthorized',
  'invalid_api_key',
  'permission_denied',
  'unauthenticated'
])

function errorOf(job: Job, why: Unanswered): { readonly code: string; readonly message: string } {
  const refused = REFUSALS.has(job.error?.code ?? '')
  if (why === 'batch_unauthorized' && (job.state === 'cancelled' || refused)) {
    return { code: why, message: unansweredMessages[why] }
  }
  if (job.state === 'cancelled') return { code: 'batch_cancelled', message: unansweredMessages.batch_cancelled }
  if (job.state === 'expired') return { code: 'batch_expired', message: unansweredMessages.batch_expired }
  return job.error ?? { code: 'internal', message: 'the request failed' }
}

function toErrorLine(
  id: string,
  customId: string | null,
  { code, message }: { readonly code: string; readonly message: string },
  line?: number
): Uint8Array {
  const place = line === undefined ? {} : { line }
  return toLine({ id, custom_id: customId, ...place, response: null, error: { code, message } })
}

/** As OpenAI calls lines of an output. */
function lineId(jobId: string): string {
  return jobId.replace(/^req_/, 'batch_req_')
}

function toLine(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`)
}

/** The stored error of a line that is not a request. */
export function toLineError({ number, line }: Numbered<PreparedLine>): BatchLineError[] {
  if (line.type !== 'error') return []
  return [{ line: number, customId: line.customId, error: line.error.forClient() }]
}
