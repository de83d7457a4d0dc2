import type { Selectable } from 'kysely'
import { decodeJson, encodeJson } from '../database/json-column.ts'
import type { Job, JobSubmission } from '../job.ts'
import type { JobContentTable, JobTable } from '../migrations/0001-jobs.ts'
import { newJobBytes } from '../storage/byte-quota.ts'
import { decodeMetadata, encodeMetadata } from './job-metadata.ts'

export type JobRow = Selectable<JobTable>
export type JobContent = Omit<Selectable<JobContentTable>, 'seq'>

/** The columns that a submission decides, and its body. */
export type SubmittedRow = Pick<
  JobRow,
  | 'id'
  | 'namespace'
  | 'endpoint'
  | 'key_id'
  | 'class'
  | 'lane'
  | 'group_id'
  | 'custom_id'
  | 'hidden'
  | 'idempotency_key'
  | 'idempotency_sha256'
  | 'attempts_max'
  | 'unstored'
  | 'metadata'
  | 'places'
  | 'bytes'
  | 'used_bytes'
> &
  Pick<JobContent, 'body'> & { readonly wait_ms: number }

/** Entries of a log, as one row holds them. */
export interface LogEntries {
  readonly text: string
  readonly count: number
}

export function rowOf(submission: JobSubmission): SubmittedRow {
  const body = encodeJson(submission.body)
  const usedBytes = newJobBytes(body)
  return {
    id: submission.id,
    namespace: submission.namespace,
    endpoint: submission.endpoint,
    key_id: submission.keyId,
    class: submission.class,
    lane: submission.lane,
    group_id: submission.groupId ?? null,
    custom_id: submission.customId === undefined ? null : encodeJson(submission.customId),
    hidden: submission.hidden === true ? 1 : 0,
    idempotency_key: submission.idempotency?.key ?? null,
    idempotency_sha256: submission.idempotency?.bodySha256 ?? null,
    wait_ms: submission.waitMs,
    attempts_max: submission.attemptsMax,
    unstored: submission.unstored === true ? 1 : 0,
    metadata: submission.metadata === undefined ? null : encodeMetadata(submission.metadata),
    places: submission.places ?? 1,
    bytes: usedBytes + (submission.reservedBytes ?? 0),
    used_bytes: usedBytes,
    body
  }
}

export function jobOf(row: JobRow, content: JobContent): Job {
  return {
    ...submissionOf(row, content),
    state: row.state,
    attempts: row.attempts,
    interruptions: row.interruptions,
    nodesLost: row.nodes_lost,
    cancelRequested: row.cancel_requested === 1,
    eventCount: row.event_count,
    result: content.result === null ? null : decodeJson(content.result),
    error: content.error === null ? null : decodeJson(content.error),
    usage: content.usage === null ? null : decodeJson(content.usage),
    createdAtMs: row.created_at_ms,
    startedAtMs: row.started_at_ms,
    endedAtMs: row.ended_at_ms
  }
}

function submissionOf(row: JobRow, content: JobContent) {
  return {
    id: row.id,
    endpoint: row.endpoint,
    namespace: row.namespace,
    keyId: row.key_id,
    class: row.class,
    lane: row.lane,
    body: decodeJson(content.body),
    expiresAtMs: row.expires_at_ms,
    attemptsMax: row.attempts_max,
    ...(row.idempotency_key === null || row.idempotency_sha256 === null
      ? {}
      : { idempotency: { key: row.idempotency_key, bodySha256: row.idempotency_sha256 } }),
    ...(row.group_id === null ? {} : { groupId: row.group_id }),
    ...(row.custom_id === null ? {} : { customId: decodeJson(row.custom_id) }),
    ...(row.hidden === 1 ? { hidden: true } : {}),
    ...(row.unstored === 1 ? { unstored: true } : {}),
    ...(row.metadata === null ? {} : { metadata: decodeMetadata(row.metadata) })
  }
}

/** The flow of a job in fair queueing: its key, or its namespace where there are no keys. */
export function flowOf(row: Pick<JobRow, 'key_id' | 'namespace'>): string {
  return row.key_id === null ? `namespace:${row.namespace}` : `key:${row.key_id}`
}
