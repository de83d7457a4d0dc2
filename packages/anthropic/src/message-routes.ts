import { requireSubcloudsOf } from '@resultity/access'
import { type ApiRoute, addRoute } from '@resultity/api-kit'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { MessageEndpoint } from './message-endpoint.ts'
import { messageErrors } from './message-errors.ts'
import { countTokensSchema } from './message-schema.ts'

export interface MessageRouteComponents {
  readonly messages: MessageEndpoint
}

const countTokens: ApiRoute = {
  method: 'POST',
  path: '/v1/messages/count_tokens',
  id: 'countMessageTokens',
  summary: 'Tokens that the prompt of a message would have, without making one.',
  body: countTokensSchema,
  answers: { 200: { json: z.object({ input_tokens: z.int() }).meta({ id: 'MessageTokens' }) } },
  errors: [400, 404],
  errorFormat: messageErrors
}

/** What is asked of messages without making one. */
export function addMessageRoutes(server: FastifyInstance, { messages }: MessageRouteComponents): void {
  // Anthropic's clients read the name of a request here
  server.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.api?.errorFormat === messageErrors) reply.header('request-id', request.id)
  })
  addRoute(server, countTokens, async request => {
    requireSubcloudsOf(request.caller, request.body)
    return { input_tokens: await messages.countTokens(request.body) }
  })
}
