import { jobErrorReply } from '@resultity/api-kit'
import { isFinal, type Job } from '@resultity/store'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'

/** Seconds after which to ask for a request again. */
const POLL_SECONDS = 1

const errorField = z.object({
  message: z.string(),
  type: z.string(),
  param: z.string().nullable(),
  code: z.string().nullable()
})

/** A request as its owner sees it. */
export const requestSchema = z
  .object({
    id: z.string(),
    object: z.literal('request'),
    request_id: z.string(),
    endpoint: z.string(),
    status: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired']),
    class: z.enum(['interactive', 'batch']),
    /** Requests that are begun before it, while it is queued. */
    queue_position: z.int().optional(),
    /** Entries of its event log so far. */
    progress: z.object({ events: z.int() }),
    attempts: z.int(),
    error: errorField.nullable(),
    usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() }).nullable(),
    /** Unix seconds. */
    created_at: z.int(),
    started_at: z.int().nullable(),
    ended_at: z.int().nullable(),
    expires_at: z.int(),
    status_url: z.string(),
    response_url: z.string(),
    events_url: z.string(),
    cancel_url: z.string()
  })
  .meta({ id: 'Request' })
export type RequestView = z.infer<typeof requestSchema>

export function toRequestView(job: Job, queuePosition?: number): RequestView {
  return {
    id: job.id,
    object: 'request',
    request_id: job.id,
    endpoint: job.endpoint,
    status: job.state,
    class: job.class,
    ...(queuePosition === undefined ? {} : { queue_position: queuePosition }),
    progress: { events: job.eventCount },
    attempts: job.attempts,
    error: jobErrorReply(job)?.body.error ?? null,
    usage: job.usage === null ? null : toUsage(job.usage),
    created_at: seconds(job.createdAtMs),
    started_at: job.startedAtMs === null ? null : seconds(job.startedAtMs),
    ended_at: job.endedAtMs === null ? null : seconds(job.endedAtMs),
    expires_at: seconds(job.expiresAtMs),
    status_url: `/v1/requests/${job.id}`,
    response_url: `/v1/requests/${job.id}/result`,
    events_url: `/v1/requests/${job.id}/events`,
    cancel_url: `/v1/requests/${job.id}/cancel`
  }
}

/** 202 with where to look. */
export function acceptedReply(reply: FastifyReply, job: Job, created: boolean): FastifyReply {
  if (!created) reply.header('idempotency-replayed', 'true')
  return pendingReply(reply.header('preference-applied', 'respond-async'), job)
}

/** The request has no result yet: ask again in a moment. */
export function pendingReply(reply: FastifyReply, job: Job): FastifyReply {
  const view = toRequestView(job)
  if (!isFinal(job.state)) reply.header('retry-after', String(POLL_SECONDS))
  return reply
    .code(202)
    .headers({ location: view.status_url, 'openai-poll-after-ms': String(POLL_SECONDS * 1000) })
    .send(view)
}

function toUsage({ promptTokens, completionTokens }: NonNullable<Job['usage']>) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
