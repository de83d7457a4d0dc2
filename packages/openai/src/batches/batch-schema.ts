import type { BatchCounts } from '@resultity/jobs'
import { type Batch, batchStatuses } from '@resultity/store'
import { z } from 'zod'

const HOUR_SECONDS = 3600
const MONTH_SECONDS = 30 * 24 * HOUR_SECONDS

/** As OpenAI limits it. */
const metadataSchema = z
  .record(z.string().max(64), z.string().max(512))
  .refine(entries => Object.keys(entries).length <= 16, '16 entries at most')

export const createBatchSchema = z
  .looseObject({
    input_file_id: z.string().max(128),
    endpoint: z.string().max(128),
    completion_window: z.literal('24h', 'completion_window is "24h"'),
    metadata: metadataSchema.nullish(),
    output_expires_after: z
      .looseObject({ anchor: z.literal('created_at'), seconds: z.int().min(HOUR_SECONDS).max(MONTH_SECONDS) })
      .nullish()
  })
  .meta({ id: 'CreateBatchRequest' })

const time = z.int().optional()

export const batchSchema = z
  .object({
    id: z.string(),
    object: z.literal('batch'),
    endpoint: z.string(),
    errors: z
      .object({
        object: z.literal('list'),
        data: z.array(
          z.object({
            code: z.string(),
            message: z.string(),
            line: z.int().nullable(),
            param: z.string().nullable()
          })
        )
      })
      .optional(),
    input_file_id: z.string(),
    completion_window: z.string(),
    status: z.enum(batchStatuses),
    output_file_id: z.string().optional(),
    error_file_id: z.string().optional(),
    /** Unix seconds, as all times; those that did not come are left out. */
    created_at: z.int(),
    in_progress_at: time,
    expires_at: time,
    finalizing_at: time,
    completed_at: time,
    failed_at: time,
    expired_at: time,
    cancelling_at: time,
    cancelled_at: time,
    request_counts: z.object({ total: z.int(), completed: z.int(), failed: z.int() }),
    metadata: z.record(z.string(), z.string()).nullable()
  })
  .meta({ id: 'Batch' })

export const batchListSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(batchSchema),
    first_id: z.string().optional(),
    last_id: z.string().optional(),
    has_more: z.boolean()
  })
  .meta({ id: 'BatchList' })

export function toBatch(batch: Batch, counts: BatchCounts): z.infer<typeof batchSchema> {
  const { failures, outputFileId, errorFileId } = batch
  return {
    id: batch.id,
    object: 'batch',
    endpoint: batch.endpoint,
    ...(failures === null ? {} : { errors: { object: 'list', data: [...failures] } }),
    input_file_id: batch.inputFileId,
    completion_window: batch.completionWindow,
    status: batch.status,
    ...(outputFileId === null ? {} : { output_file_id: outputFileId }),
    ...(errorFileId === null ? {} : { error_file_id: errorFileId }),
    created_at: seconds(batch.createdAtMs),
    expires_at: seconds(batch.expiresAtMs),
    ...times(batch),
    request_counts: { total: counts.total, completed: counts.completed, failed: counts.failed },
    metadata: batch.metadata
  }
}

/** `completed_at` and so on. */
function times({ entered }: Batch): Record<string, number> {
  return Object.fromEntries(Object.entries(entered).map(([status, ms]) => [`${status}_at`, seconds(ms)]))
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
