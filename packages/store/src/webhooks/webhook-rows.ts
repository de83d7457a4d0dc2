import type { Selectable } from 'kysely'
import { decodeJson } from '../database/json-column.ts'
import type { WebhookDeliveryTable, WebhookTable } from '../migrations/0005-webhooks.ts'
import type { Delivery, Webhook } from './webhook.ts'

export function toWebhook(row: Selectable<WebhookTable>): Webhook {
  return {
    id: row.id,
    namespace: row.namespace,
    url: row.url,
    events: decodeJson(row.events),
    description: row.description,
    secret: row.secret,
    createdAtMs: row.created_at_ms,
    failingSinceMs: row.failing_since_ms,
    disabledAtMs: row.disabled_at_ms,
    disabledReason: row.disabled_reason
  }
}

export function toDelivery(row: Selectable<WebhookDeliveryTable>): Delivery {
  return {
    id: row.id,
    webhookId: row.webhook_id,
    type: row.type,
    subjectId: row.subject_id,
    data: decodeJson(row.data),
    state: row.state,
    attempts: row.attempts,
    dueAtMs: row.due_at_ms,
    log: decodeJson(row.log),
    createdAtMs: row.created_at_ms,
    endedAtMs: row.ended_at_ms
  }
}
