import {
  type EmbeddingJob,
  embeddingJobSchema,
  MeshError,
  safeParse,
  toEmbeddingResult,
  type WorkOptions
} from '@resultity/interface'
import type { ReadyEncoder } from './loaded-model.ts'

/**
 * Runs one embedding job.
 *
 * @returns UTF-8 JSON of an `EmbeddingResult`
 * @throws MeshError `invalid_request` for inputs that the encoder does not take, `engine_failed`; the reason of the signal
 */
export async function runEmbeddingJob(
  { encoder }: ReadyEncoder,
  { inputs, seconds }: EmbeddingJob,
  options: WorkOptions
): Promise<Uint8Array> {
  const vectors = await encoder.encode(inputs, { ...options, seconds })
  return new TextEncoder().encode(JSON.stringify(toEmbeddingResult(vectors, encoder.dimensions)))
}

/**
 * Reads the body of an embedding job, UTF-8 JSON.
 * @throws MeshError `protocol_violation`
 */
export function parseEmbeddingJob(body: Uint8Array): EmbeddingJob {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (cause) {
    throw new MeshError('protocol_violation', 'the body of the job is not JSON', { cause })
  }
  const parsed = safeParse(embeddingJobSchema, json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new MeshError(
    'protocol_violation',
    `the body of the job is wrong at ${issue?.path.join('.')}: ${issue?.message}`
  )
}
