import type { Clock, ModelAliases } from '@resultity/interface'
import type { JobStore } from '@resultity/store'
import type { Logger } from 'pino'
import { chatDialect } from './ensemble/chat-dialect.ts'
import { EnsembleAliases } from './ensemble/ensemble-aliases.ts'
import { EnsembleEndpoint } from './ensemble/ensemble-endpoint.ts'
import { ChatEndpoint, type ChatEndpointComponents } from './http/chat-endpoint.ts'
import { CompletionEndpoint } from './http/completion-endpoint.ts'
import { EmbeddingsEndpoint, type EmbeddingsEndpointComponents } from './http/embeddings-endpoint.ts'
import { toJobError } from './http/error-reply.ts'
import { ResponseEndpoint } from './http/responses/response-endpoint.ts'
import { ChildJobs, endChildrenWithParents } from './jobs/child-jobs.ts'
import { JobEndpoints } from './jobs/job-endpoint.ts'
import { JobRuntime } from './jobs/job-runtime.ts'
import { ModelPlaces } from './jobs/model-places.ts'
import type { CoordinatorLimits } from './settings.ts'

export interface JobPartsComponents extends ChatEndpointComponents, EmbeddingsEndpointComponents {
  readonly clock: Clock
  readonly logger: Logger
}

export interface JobPartsInit {
  readonly limits: CoordinatorLimits
  readonly aliases: ModelAliases
  /** Places of every model, where that is not a matter of slots on nodes. */
  readonly placesMax: number | undefined
}

/** Everything that makes jobs of requests, and runs them. */
export function buildJobs(
  components: JobPartsComponents,
  store: JobStore,
  { limits, aliases: names, placesMax }: JobPartsInit
) {
  const { models, clock, logger } = components
  const aliases = new EnsembleAliases(names)
  const children = new ChildJobs({ store, runtime: () => runtime })
  const chat = new ChatEndpoint(components)
  const responses = new ResponseEndpoint({ models, chat, store, clock })
  const httpEndpoints = [
    new EnsembleEndpoint({ models, aliases, children }, chat, chatDialect),
    new CompletionEndpoint(components),
    responses,
    new EmbeddingsEndpoint(components)
  ]
  const endpoints = new JobEndpoints(httpEndpoints)
  const places = new ModelPlaces(components, { groupsMax: limits.groupsMax, placesMax })
  const runtime: JobRuntime = new JobRuntime({ store, endpoints, places, clock, logger, toJobError }, limits)
  endChildrenWithParents(runtime, store, err => logger.error({ err }, 'parts of a request were not ended'))
  return { aliases, store, runtime, endpoints, httpEndpoints, responses }
}
