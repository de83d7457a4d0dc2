import { z } from 'zod'

/** The endpoint of a job that turns inputs into vectors. */
export const EMBEDDINGS_ENDPOINT = '/v1/embeddings'

/**
 * Inputs of one embedding job at the most. A coordinator divides a larger request into several jobs, so that none holds
 * a place for long, and an answer of vectors of 8,192 numbers still fits a frame.
 */
export const EMBEDDING_JOB_INPUTS_MAX = 256

/** What a coordinator sends: token ids with those that frame an input, of the model's own vocabulary. */
export const embeddingJobSchema = z.object({
  inputs: z.array(z.array(z.int().nonnegative()).min(1)).min(1).max(EMBEDDING_JOB_INPUTS_MAX),
  /** Where the second text of each input begins, where inputs are pairs. */
  seconds: z.array(z.int().positive()).max(EMBEDDING_JOB_INPUTS_MAX).optional()
})
export type EmbeddingJob = z.infer<typeof embeddingJobSchema>

/** What a node answers. */
export const embeddingResultSchema = z.object({
  /** Numbers of one vector. */
  dimensions: z.int().positive(),
  /** The vectors in the order of the inputs, f32 little endian, in base64. */
  vectors: z.base64()
})
export type EmbeddingResult = z.infer<typeof embeddingResultSchema>

/** The vectors as a result carries them. */
export function toEmbeddingResult(vectors: Float32Array, dimensions: number): EmbeddingResult {
  const bytes = Buffer.alloc(vectors.byteLength)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (const [index, value] of vectors.entries()) view.setFloat32(4 * index, value, true)
  return { dimensions, vectors: bytes.toString('base64') }
}

/**
 * The vectors of a result, one after the other.
 *
 * @returns undefined when they are not `inputs` vectors of numbers
 */
export function fromEmbeddingResult(
  { dimensions, vectors }: EmbeddingResult,
  inputs: number
): Float32Array | undefined {
  const bytes = Buffer.from(vectors, 'base64')
  if (bytes.length !== inputs * dimensions * Float32Array.BYTES_PER_ELEMENT) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values = Float32Array.from({ length: inputs * dimensions }, (_, index) => view.getFloat32(4 * index, true))
  return values.every(Number.isFinite) ? values : undefined
}
