import { randomBytes } from 'node:crypto'
import { type Clock, invalidRequest, MeshError } from '@resultity/interface'
import type { Delivery, DeliveryQueue, Webhook, WebhookStore } from '@resultity/store'
import { type Caller, may, namespaceFor } from '../keys/caller.ts'
import { newWebhookSecret } from './signature.ts'
import { parseTarget, type TargetPolicy } from './target.ts'
import type { NewWebhookInput } from './webhook-schema.ts'

export interface WebhookServiceComponents {
  readonly webhooks: WebhookStore
  readonly queue: DeliveryQueue
  readonly clock: Clock
}

/** Most webhooks of one namespace. */
const WEBHOOKS_MAX = 16

/** Makes and changes webhooks for their owners. */
export class WebhookService {
  readonly #components: WebhookServiceComponents
  readonly #policy: TargetPolicy

  constructor(components: WebhookServiceComponents, policy: TargetPolicy) {
    this.#components = components
    this.#policy = policy
  }

  /** @throws MeshError `invalid_request`, also where there are too many; `permission_denied` */
  async create(caller: Caller, { url, events, description, namespace: asked }: NewWebhookInput): Promise<Webhook> {
    const { webhooks, clock } = this.#components
    const namespace = namespaceFor(caller, asked) ?? caller.namespace
    checkUrl(url, this.#policy)
    const { length } = await webhooks.list(namespace)
    if (length >= WEBHOOKS_MAX) {
      throw new MeshError('invalid_request', `the namespace has ${length} webhooks, and ${WEBHOOKS_MAX} is the most`, {
        hint: 'Delete one first.'
      })
    }
    return webhooks.add({
      id: `wh_${randomBytes(12).toString('hex')}`,
      namespace,
      url,
      events: [...new Set(events)],
      description,
      secret: newWebhookSecret(),
      createdAtMs: clock.now()
    })
  }

  list(caller: Caller, asked: string | undefined): Promise<readonly Webhook[]> {
    return this.#components.webhooks.list(namespaceFor(caller, asked) ?? caller.namespace)
  }

  /** @throws MeshError `not_found`, also for a webhook of another namespace */
  async find(caller: Caller, id: string): Promise<Webhook> {
    const webhook = await this.#components.webhooks.find(id)
    if (webhook !== undefined && (webhook.namespace === caller.namespace || may(caller, 'admin'))) return webhook
    throw new MeshError('not_found', `there is no webhook ${JSON.stringify(id.slice(0, 64))}`, {
      hint: 'GET /v1/webhooks lists those that there are.'
    })
  }

  async remove(caller: Caller, id: string): Promise<void> {
    await this.find(caller, id)
    await this.#components.webhooks.remove(id)
  }

  /** Enables a webhook that was disabled. */
  async enable(caller: Caller, id: string): Promise<Webhook> {
    await this.find(caller, id)
    return this.#components.webhooks.enable(id)
  }

  async deliveries(caller: Caller, webhookId: string, page: { readonly after?: string; readonly limit: number }) {
    await this.find(caller, webhookId)
    return this.#components.queue.list({ webhookId, ...page })
  }

  /** Sends an event once more, under its old name. @throws MeshError `not_found`, `invalid_request` */
  async redeliver(caller: Caller, webhookId: string, deliveryId: string): Promise<Delivery> {
    const { queue, clock } = this.#components
    const webhook = await this.find(caller, webhookId)
    const delivery = await queue.find(deliveryId)
    if (delivery?.webhookId !== webhookId) {
      throw new MeshError('not_found', `there is no delivery ${JSON.stringify(deliveryId.slice(0, 64))}`, {
        hint: `GET /v1/webhooks/${webhookId}/deliveries lists those that there are.`
      })
    }
    if (webhook.disabledAtMs !== null) {
      throw new MeshError('invalid_request', 'the webhook is disabled', {
        hint: `POST /v1/webhooks/${webhookId}/enable first.`
      })
    }
    return (await queue.requeue(deliveryId, clock.now())) ?? delivery
  }
}

/** Reports an address that a delivery would refuse as the client's mistake. */
function checkUrl(url: string, policy: TargetPolicy): void {
  try {
    parseTarget(url, policy)
  } catch (error) {
    const { message, hint } = MeshError.from(error)
    throw invalidRequest('url', message, hint)
  }
}
