import { type ApiRoute, addRoute, listOf } from '@resultity/api-kit'
import type { ServedModels } from '@resultity/placement'
import type { FastifyInstance } from 'fastify'
import { voiceSchema } from './speech-schema.ts'
import { voicesOf } from './voice-choice.ts'

const listVoices: ApiRoute = {
  method: 'GET',
  path: '/v1/audio/voices',
  id: 'listVoices',
  summary: 'The voices that are served, with language, licence and sample rate.',
  answers: { 200: { json: listOf('VoiceList', voiceSchema) } }
}

export interface VoiceRouteComponents {
  readonly models: ServedModels
}

/** `GET /v1/audio/voices`. */
export function addVoiceRoutes(server: FastifyInstance, { models }: VoiceRouteComponents): void {
  addRoute(server, listVoices, async () => ({
    object: 'list' as const,
    data: models.list().flatMap(model => (model.kind === 'voice' ? voicesOf(model) : []))
  }))
}
