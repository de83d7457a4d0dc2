import { addRoute, type ById, listOf, pagedListOf, parseInput, Resource, toPage } from '@resultity/api-kit'
import type { FastifyInstance } from 'fastify'
import {
  createdWebhookSchema,
  deletedWebhookSchema,
  deliveryQuerySchema,
  deliverySchema,
  newWebhookSchema,
  toDeliveryView,
  toWebhookView,
  webhookQuerySchema,
  webhookSchema
} from './webhook-schema.ts'
import type { WebhookService } from './webhook-service.ts'

const webhooks = new Resource('/v1/webhooks', { errors: [401, 403] })

const routes = {
  create: webhooks.create({
    id: 'createWebhook',
    summary: 'Has events of the namespace sent to a URL. Only this answer has the secret that signs them.',
    body: newWebhookSchema,
    json: createdWebhookSchema
  }),
  list: webhooks.list({
    id: 'listWebhooks',
    summary: 'Webhooks of the namespace, the oldest first.',
    query: webhookQuerySchema,
    json: listOf('WebhookList', webhookSchema)
  }),
  retrieve: webhooks.retrieve({ id: 'retrieveWebhook', summary: 'One webhook.', json: webhookSchema }),
  remove: webhooks.remove({
    id: 'deleteWebhook',
    summary: 'Removes a webhook, with the log of its deliveries.',
    json: deletedWebhookSchema
  }),
  enable: webhooks.action('enable', {
    id: 'enableWebhook',
    summary: 'Takes up a webhook that was given up. What it missed can be redelivered.',
    json: webhookSchema
  }),
  deliveries: webhooks.part('deliveries', {
    id: 'listWebhookDeliveries',
    summary: 'What was sent and what came of it, the newest first.',
    query: deliveryQuerySchema,
    json: pagedListOf('WebhookDeliveryList', deliverySchema)
  }),
  redeliver: webhooks.action('deliveries/{delivery}/redeliver', {
    id: 'redeliverWebhook',
    summary: 'Sends one event again, under its old `webhook-id`.',
    json: deliverySchema,
    errors: [400]
  })
}

interface ByDelivery {
  Params: { id: string; delivery: string }
}

/** `/v1/webhooks`. `onQueued` hears when something is to be sent. */
export function addWebhookRoutes(server: FastifyInstance, service: WebhookService, onQueued: () => void): void {
  addRoute(server, routes.create, async request => {
    const webhook = await service.create(request.caller, parseInput(newWebhookSchema, request.body))
    return { ...toWebhookView(webhook), secret: webhook.secret }
  })
  addRoute(server, routes.list, async request => {
    const { namespace } = parseInput(webhookQuerySchema, request.query)
    return { object: 'list', data: (await service.list(request.caller, namespace)).map(toWebhookView) }
  })
  addRoute<ById>(server, routes.retrieve, async ({ caller, params }) =>
    toWebhookView(await service.find(caller, params.id))
  )
  addRoute<ById>(server, routes.remove, async ({ caller, params }) => {
    await service.remove(caller, params.id)
    return { id: params.id, object: 'webhook.deleted', deleted: true }
  })
  addRoute<ById>(server, routes.enable, async ({ caller, params }) =>
    toWebhookView(await service.enable(caller, params.id))
  )
  addRoute<ById>(server, routes.deliveries, async ({ caller, params, query }) => {
    const { after, limit } = parseInput(deliveryQuerySchema, query)
    const page = { limit, ...(after === undefined ? {} : { after }) }
    const { deliveries, hasMore } = await service.deliveries(caller, params.id, page)
    return toPage(deliveries.map(toDeliveryView), hasMore)
  })
  addRoute<ByDelivery>(server, routes.redeliver, async ({ caller, params }) => {
    const delivery = await service.redeliver(caller, params.id, params.delivery)
    onQueued()
    return toDeliveryView(delivery)
  })
}
