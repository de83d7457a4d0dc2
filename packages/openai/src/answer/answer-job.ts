import type { PreparedJob } from '@resultity/jobs'
import type { NodePools, PlacementDirector, RouteConstraints, ServedModels } from '@resultity/placement'
import { type JsonValue, modelLane } from '@resultity/store'
import type { AnswerRunComponents } from './answer-run.ts'

/** What an endpoint needs whose answers are generated. */
export interface AnswerEndpointComponents extends AnswerRunComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
  readonly pools: NodePools
}

/** The fields of a request that say how its job is kept and told. */
interface JobFields {
  readonly stream?: unknown
  readonly store?: unknown
  readonly mesh?: Readonly<Record<string, unknown>> | null | undefined
}

/** The part of a job that is the same for every request that one model answers. */
export function answerJob(
  request: JobFields,
  model: { readonly id: string },
  routing: RouteConstraints
): Pick<PreparedJob, 'lane' | 'request' | 'streamed' | 'outlivesClient' | 'unstored'> {
  return {
    lane: modelLane(model.id, routing.pool?.subcloud),
    // by its id: what else it was called by may mean another when the job is begun, or nothing yet
    request: { ...request, model: model.id } as JsonValue,
    streamed: request.stream === true,
    outlivesClient: request.mesh?.on_disconnect === 'continue',
    unstored: request.store === false
  }
}
