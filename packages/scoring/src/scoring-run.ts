import { embed, type NodeJobs } from '@resultity/generation'
import type { JobContext } from '@resultity/jobs'
import { type AnswerMetrics, routeHeader } from '@resultity/openai'
import type { NodePools, PlacementDirector, RouteConstraints, ServedModel, ServedModels } from '@resultity/placement'

export interface ScoringComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
  readonly pools: NodePools
  readonly nodeJobs: NodeJobs
  readonly metrics: AnswerMetrics
}

/** What a node is asked for. */
export interface ScoringWork {
  readonly model: ServedModel
  readonly routing: RouteConstraints
  readonly inputs: readonly (readonly number[])[]
  readonly seconds?: readonly number[]
  readonly promptTokens: number
}

export interface Scored {
  /** Of all inputs, one after the other. */
  readonly vectors: Float32Array
  /** Numbers of one of them. */
  readonly width: number
  readonly headers: Readonly<Record<string, string>>
}

/** Has a node read the inputs. @throws MeshError as `embed` does */
export async function runScoring(
  { nodeJobs, metrics }: ScoringComponents,
  { model, routing, inputs, seconds, promptTokens }: ScoringWork,
  { job, signal }: JobContext
): Promise<Scored> {
  const work = { jobId: job.id, model: model.placeable, routing, inputs, ...(seconds === undefined ? {} : { seconds }) }
  const { vectors, dimensions, route } = await embed(nodeJobs, work, { signal, workClass: job.class })
  metrics.promptTokens.inc({ model: model.id }, promptTokens)
  return { vectors, width: dimensions, headers: { 'x-resultity-route': routeHeader(route) } }
}
