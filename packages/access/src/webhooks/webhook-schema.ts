import { deletedOf } from '@resultity/api-kit'
import type { Delivery, Webhook } from '@resultity/store'
import { z } from 'zod'
import { labelSchema, namespaceSchema } from '../keys/key-schema.ts'

/** Types of events. */
export const webhookEventTypes = [
  'job.succeeded',
  'job.failed',
  'job.cancelled',
  'job.expired',
  'batch.completed',
  'batch.failed',
  'batch.cancelled',
  'batch.expired'
] as const

export const newWebhookSchema = z
  .strictObject({
    url: z.string('expected a URL').max(2048).describe('Where events are sent by POST.'),
    events: z
      .array(z.enum(webhookEventTypes))
      .min(1)
      .max(webhookEventTypes.length)
      .default([...webhookEventTypes])
      .describe('Default: all.'),
    description: labelSchema.default(''),
    namespace: namespaceSchema.optional().describe('Only with an admin key may it be another than the key’s own.')
  })
  .meta({ id: 'NewWebhook' })
export type NewWebhookInput = z.infer<typeof newWebhookSchema>

export const webhookSchema = z
  .object({
    id: z.string(),
    object: z.literal('webhook'),
    namespace: z.string(),
    url: z.string(),
    events: z.array(z.string()),
    description: z.string(),
    status: z.enum(['enabled', 'disabled']),
    disabled_reason: z.string().nullable(),
    created_at: z.int(),
    /** Since when nothing has arrived there. */
    failing_since: z.int().nullable()
  })
  .meta({ id: 'Webhook' })
export type WebhookView = z.infer<typeof webhookSchema>

/** The one answer that has the secret. */
export const createdWebhookSchema = webhookSchema
  .extend({ secret: z.string().describe('Checks signatures. Shown this once.') })
  .meta({ id: 'CreatedWebhook' })

export const deletedWebhookSchema = deletedOf('webhook.deleted').meta({ id: 'DeletedWebhook' })

export const deliverySchema = z
  .object({
    id: z.string().describe('The `webhook-id` that the receiver sees.'),
    object: z.literal('webhook.delivery'),
    type: z.string(),
    subject_id: z.string().describe('Of the request or batch that it is about.'),
    status: z.enum(['pending', 'delivered', 'failed']),
    attempts: z.array(
      z.object({
        at: z.int(),
        duration_ms: z.int(),
        status: z.int().nullable().describe('The receiver’s answer.'),
        error: z.string().nullable()
      })
    ),
    next_attempt_at: z.int().nullable(),
    created_at: z.int(),
    ended_at: z.int().nullable()
  })
  .meta({ id: 'WebhookDelivery' })

export const webhookQuerySchema = z.looseObject({
  namespace: namespaceSchema.optional().describe('Only with an admin key may it be another than the key’s own.')
})

export const deliveryQuerySchema = z.looseObject({
  after: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20)
})

function seconds(ms: number): number
function seconds(ms: number | null): number | null
function seconds(ms: number | null): number | null {
  return ms === null ? null : Math.floor(ms / 1000)
}

export function toWebhookView(webhook: Webhook): WebhookView {
  return {
    id: webhook.id,
    object: 'webhook',
    namespace: webhook.namespace,
    url: webhook.url,
    events: [...webhook.events],
    description: webhook.description,
    status: webhook.disabledAtMs === null ? 'enabled' : 'disabled',
    disabled_reason: webhook.disabledReason,
    created_at: seconds(webhook.createdAtMs),
    failing_since: seconds(webhook.failingSinceMs)
  }
}

export function toDeliveryView(delivery: Delivery): z.infer<typeof deliverySchema> {
  return {
    id: delivery.id,
    object: 'webhook.delivery',
    type: delivery.type,
    subject_id: delivery.subjectId,
    status: delivery.state,
    attempts: delivery.log.map(({ atMs, durationMs, status, error }) => ({
      at: seconds(atMs),
      duration_ms: Math.round(durationMs),
      status,
      error
    })),
    next_attempt_at: delivery.state === 'pending' ? seconds(delivery.dueAtMs) : null,
    created_at: seconds(delivery.createdAtMs),
    ended_at: seconds(delivery.endedAtMs)
  }
}
