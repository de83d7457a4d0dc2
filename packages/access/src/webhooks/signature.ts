import { randomBytes } from 'node:crypto'
import type { Delivery } from '@resultity/store'
import { Webhook } from 'standardwebhooks'

/** As Standard Webhooks recommends: 24 to 64 bytes. */
const SECRET_BYTES = 32

export function newWebhookSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`
}

/** The body of a delivery: the event, in OpenAI's form. */
export function bodyOf({ id, type, data, createdAtMs }: Delivery): string {
  return JSON.stringify({ id, object: 'event', created_at: Math.floor(createdAtMs / 1000), type, data })
}

/** Headers by which the receiver knows who sent it, when, and that nothing was changed: standardwebhooks.com. */
export function signedHeaders(id: string, body: string, secret: string, nowMs: number): Record<string, string> {
  const at = new Date(nowMs)
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(nowMs / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body)
  }
}
