import { embed, type NodeJobs } from '@resultity/generation'
import { MeshError } from '@resultity/interface'
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

interface ModelWanted {
  readonly fits: (model: ServedModel) => boolean
  readonly path: string
  /** What would do, for whoever runs the coordinator. */
  readonly what: string
}

/**
 * The name of the model that a request means: clients of servers with one such model name none.
 *
 * @throws MeshError `not_implemented` where no model that fits is served at all, and none is being imported
 */
export function modelName(
  models: ServedModels,
  name: string | null | undefined,
  { fits, path, what }: ModelWanted
): string | undefined {
  const fitting = models.list().filter(fits)
  if (models.complete && fitting.length === 0) {
    throw new MeshError('not_implemented', `POST ${path} is not served here: no model does that`, {
      hint: `Serve ${what}: \`resultity up --model REF\`.`
    })
  }
  const [only] = fitting
  return name ?? (models.complete && fitting.length === 1 ? only?.id : undefined)
}
