import {
  EMBEDDING_JOB_INPUTS_MAX,
  EMBEDDINGS_ENDPOINT,
  type EmbeddingJob,
  type EncoderManifest,
  embeddingResultSchema,
  fromEmbeddingResult,
  MeshError,
  outputSize,
  type Route,
  readJson,
  requireEncoder
} from '@resultity/interface'
import type { PlaceableModel, RouteConstraints } from '@resultity/placement'
import type { NodeJobOptions, NodeJobResult, NodeJobs } from './node-jobs.ts'
import { wrongResult } from './wrong-result.ts'

/** Vectors of all inputs, one after the other, and who computed the last of them. */
export interface Embedded {
  readonly vectors: Float32Array
  /** Numbers of one vector. */
  readonly dimensions: number
  readonly route: Route
}

export interface EmbedRequest {
  readonly jobId: string
  readonly model: PlaceableModel
  readonly routing: RouteConstraints
  /** Token ids with those that frame an input. */
  readonly inputs: readonly (readonly number[])[]
  /** Where the second text of each input begins, where inputs are pairs. */
  readonly seconds?: readonly number[]
}

/**
 * Has an encoder's node turn inputs into vectors, in jobs of bounded size one after the other: between two of them
 * another request may have the place.
 *
 * @throws MeshError as {@link NodeJobs.run} does; `protocol_violation` for a result that is not the vectors asked for
 */
export async function embed(jobs: NodeJobs, request: EmbedRequest, options: NodeJobOptions = {}): Promise<Embedded> {
  const { jobId, model, routing, inputs, seconds } = request
  const manifest = requireEncoder(model.manifest)
  const dimensions = outputSize(manifest.config)
  const vectors = new Float32Array(inputs.length * dimensions)
  let route: Route | undefined
  for (let first = 0; first < inputs.length; first += EMBEDDING_JOB_INPUTS_MAX) {
    const part = inputs.slice(first, first + EMBEDDING_JOB_INPUTS_MAX)
    const pairs = seconds?.slice(first, first + EMBEDDING_JOB_INPUTS_MAX)
    const body: EmbeddingJob = {
      inputs: part.map(input => [...input]),
      ...(pairs === undefined ? {} : { seconds: pairs })
    }
    const encoded = new TextEncoder().encode(JSON.stringify(body))
    const done = await jobs.run({ jobId, model, routing, endpoint: EMBEDDINGS_ENDPOINT, body: encoded }, options)
    vectors.set(readVectors(done, manifest, part.length), first * dimensions)
    route = done.route
  }
  if (route === undefined) throw new MeshError('internal', 'there was nothing to embed')
  return { vectors, dimensions, route }
}

/** Beside the vectors: the members' names, and a number. */
const FRAMING_BYTES_MAX = 1024

/** @throws MeshError `protocol_violation` naming the node */
function readVectors(
  { result, route }: NodeJobResult,
  { name, config }: EncoderManifest,
  inputs: number
): Float32Array {
  // base64 has four characters for three bytes; a longer result is not even parsed
  const bytesMax = Math.ceil((inputs * outputSize(config) * Float32Array.BYTES_PER_ELEMENT * 4) / 3) + FRAMING_BYTES_MAX
  const read = result.length > bytesMax ? undefined : readJson(embeddingResultSchema, result)
  const vectors = read?.dimensions === outputSize(config) ? fromEmbeddingResult(read, inputs) : undefined
  if (vectors === undefined) throw wrongResult(route, `not ${inputs} vectors of ${name}`)
  return vectors
}
