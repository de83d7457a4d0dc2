import { type EmbeddingJob, embeddingJobSchema, toEmbeddingResult, type WorkOptions } from '@resultity/interface'
import { parseJobBody } from './job-body.ts'
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

/** Reads the body of an embedding job. @throws MeshError `protocol_violation` */
export function parseEmbeddingJob(body: Uint8Array): EmbeddingJob {
  return parseJobBody(embeddingJobSchema, body)
}
