import type { DecoderManifest } from '@resultity/interface'
import t from 'tap'
import { stageMemory } from '../src/graph/stage-memory.ts'

const file = (digit: string, bytes: number) => ({ sha256: digit.repeat(64), bytes, tensors: [] })

const manifest = (tiedEmbedding: boolean): DecoderManifest => ({
  version: 1,
  name: 'test',
  architecture: 'llama',
  config: {
    layerCount: 3,
    hiddenSize: 64,
    intermediateSize: 128,
    headCount: 4,
    kvHeadCount: 2,
    headDim: 16,
    vocabularySize: 100,
    contextLength: 512,
    rmsNormEpsilon: 1e-5,
    ropeTheta: 10_000,
    ropeScaling: { type: 'none' },
    tiedEmbedding
  },
  tokenizer: { definition: file('a', 1), config: file('b', 1), endTokenIds: [] },
  embedding: file('c', 1000),
  layers: [file('d', 10), file('e', 20), file('f', 30)],
  head: file('0', 500)
})

const cases = [
  { id: 'the first stage embeds', tied: false, range: { first: 0, end: 1 }, weightBytes: 1010, layers: 1 },
  { id: 'a middle stage has its layers only', tied: false, range: { first: 1, end: 2 }, weightBytes: 20, layers: 1 },
  { id: 'the last stage projects', tied: false, range: { first: 1, end: 3 }, weightBytes: 550, layers: 2 },
  { id: 'a tied head needs the embedding too', tied: true, range: { first: 2, end: 3 }, weightBytes: 1530, layers: 1 },
  { id: 'one stage has everything once', tied: true, range: { first: 0, end: 3 }, weightBytes: 1560, layers: 3 }
]
for (const { id, tied, range, weightBytes, layers } of cases) {
  t.test(id, async t => {
    const memory = stageMemory({ manifest: manifest(tied), range, contextLength: 100, sessionsMax: 4 })
    // keys and values of 2 heads of 16, f32
    t.same(memory, { weightBytes, kvBytes: 2 * 2 * 16 * 4 * layers * 100 * 4 })
  })
}

t.test('a model that attends by groups of heads keeps its values twice', t => {
  const base = manifest(false)
  const range = { first: 1, end: 2 }
  for (const { headCount, tensors } of [
    { headCount: 6, tensors: 2 },
    { headCount: 8, tensors: 3 }
  ]) {
    const memory = stageMemory({
      manifest: { ...base, config: { ...base.config, headCount } },
      range,
      contextLength: 100,
      sessionsMax: 1
    })
    t.equal(memory.kvBytes, tensors * 2 * 16 * 4 * 100, `${headCount} heads, 2 KV heads`)
  }
  t.end()
})
