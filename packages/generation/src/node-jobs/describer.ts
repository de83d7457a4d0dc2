import {
  type CaptionManifest,
  DESCRIPTIONS_ENDPOINT,
  type DescriptionJob,
  type DescriptionResult,
  type Route,
  readDescriptionResult,
  requireCaptioner,
  writeDescriptionJob
} from '@resultity/interface'
import type { PlaceableModel, RouteConstraints } from '@resultity/placement'
import type { NodeJobOptions, NodeJobs } from './node-jobs.ts'
import { wrongResult } from './wrong-result.ts'

export interface DescriberComponents {
  readonly nodeJobs: Pick<NodeJobs, 'run'>
}

export interface DescribeRequest extends DescriptionJob {
  readonly jobId: string
  readonly model: PlaceableModel
  readonly routing: RouteConstraints
}

export interface Description extends DescriptionResult {
  readonly route: Route
}

/**
 * Has a node say what a picture shows. A node that is lost has done nothing that counts: the next one gives the same tokens.
 *
 * @throws MeshError as {@link NodeJobs.run} does; `protocol_violation` for a result that is none
 */
export async function describe(
  { nodeJobs }: DescriberComponents,
  { jobId, model, routing, ...job }: DescribeRequest,
  options: NodeJobOptions = {}
): Promise<Description> {
  const manifest = requireCaptioner(model.manifest)
  const body = writeDescriptionJob(job)
  const { result, route } = await nodeJobs.run(
    { jobId, model, routing, endpoint: DESCRIPTIONS_ENDPOINT, body },
    options
  )
  const read = readDescriptionResult(result)
  if (read === undefined || !isOf(manifest, job, read)) throw wrongResult(route, `nothing that ${manifest.name} writes`)
  return { ...read, route }
}

/** Whether a result may come of a model and a job: of its tokens, and as long as was asked for. */
function isOf(
  { config }: CaptionManifest,
  { prompt, tokensMax, tokensMin }: DescriptionJob,
  { tokens, finish }: DescriptionResult
): boolean {
  const { vocabularySize, textContext, tokens: special } = config
  const most = Math.min(tokensMax, textContext - 1 - prompt.length)
  // one that stopped has come to its end before
  const long = finish === 'length' ? tokens.length === most : tokens.length < most && tokens.length >= tokensMin
  return long && tokens.every(token => token < vocabularySize && token !== special.end)
}
