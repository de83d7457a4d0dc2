import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { embeddingResultSchema, fromEmbeddingResult, toEmbeddingResult } from '../src/embedding-job.ts'

t.test('vectors come back as they were, to the bit', async () => {
  assertProperty(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 9 }),
      fc.infiniteStream(fc.float({ noNaN: true, noDefaultInfinity: true })),
      (inputs, dimensions, values) => {
        const vectors = Float32Array.from({ length: inputs * dimensions }, () => values.next().value ?? 0)
        const result = embeddingResultSchema.parse(JSON.parse(JSON.stringify(toEmbeddingResult(vectors, dimensions))))
        const back = fromEmbeddingResult(result, inputs)
        return back !== undefined && vectors.every((value, index) => Object.is(value, back[index]))
      }
    )
  )
})

t.test('what a node must not answer is told apart', async t => {
  const result = toEmbeddingResult(Float32Array.of(1, 2, 3, 4), 2)
  t.ok(fromEmbeddingResult(result, 2))
  t.equal(fromEmbeddingResult(result, 1), undefined, 'more vectors than inputs')
  t.equal(fromEmbeddingResult(result, 3), undefined, 'fewer')
  t.equal(fromEmbeddingResult({ ...result, dimensions: 4 }, 2), undefined)
  t.equal(fromEmbeddingResult(toEmbeddingResult(Float32Array.of(1, Number.NaN), 2), 1), undefined, 'no number')
  t.equal(fromEmbeddingResult(toEmbeddingResult(Float32Array.of(1, Number.POSITIVE_INFINITY), 2), 1), undefined)
})
