import type { EmbeddingsPlan } from './embeddings-request.ts'
import type { EmbeddingsAnswer } from './embeddings-schema.ts'

/**
 * The body of the answer.
 *
 * @param vectors of all inputs, one after the other
 * @param width numbers of one of them
 */
export function embeddingsAnswer(plan: EmbeddingsPlan, vectors: Float32Array, width: number): EmbeddingsAnswer {
  const data = plan.inputs.map((_, index) => {
    const vector = shorten(vectors.subarray(index * width, (index + 1) * width), plan.dimensions)
    const embedding = plan.format === 'base64' ? toBase64(vector) : Array.from(vector)
    return { object: 'embedding' as const, index, embedding }
  })
  const { promptTokens } = plan
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens }
  return { object: 'list', data, model: plan.model.id, usage }
}

/** The first numbers, scaled to length 1 again: what models made for it (Kusupati et al., arXiv:2205.13147) expect. */
function shorten(vector: Float32Array, dimensions: number): Float32Array {
  if (dimensions === vector.length) return vector
  const first = vector.subarray(0, dimensions)
  const length = Math.hypot(...first)
  return length === 0 ? first : first.map(value => value / length)
}

function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.byteLength)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, 4 * index)
  return bytes.toString('base64')
}
