import t from 'tap'
import {
  blipConfigSchema,
  type DescriptionJob,
  LOOKED_AT_SIDE_MAX,
  lookedAtLength,
  readDescriptionJob,
  readDescriptionResult,
  writeBytesMessage,
  writeDescriptionJob,
  writeDescriptionResult
} from '../src/index.ts'

const job: DescriptionJob = {
  prompt: [5, 6],
  tokensMax: 8,
  tokensMin: 0,
  temperature: 0.7,
  topP: 1,
  repetitionPenalty: 1,
  seed: '18446744073709551615',
  rgb: Uint8Array.from({ length: 12 }, (_, index) => index)
}

t.test('a job comes as it was sent', async t => {
  for (const sent of [job, { ...job, question: [2, 9, 3], prompt: [] }]) {
    t.strictSame(readDescriptionJob(writeDescriptionJob(sent)), sent)
  }
})

t.test('a body that is no job is refused, and says where', async t => {
  const { rgb, ...settings } = job
  const body = (change: object, blocks = [rgb]) => writeBytesMessage({ head: { ...settings, ...change }, blocks })
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [new Uint8Array(0), /no JSON/],
    [new TextEncoder().encode('{}'), /no JSON/],
    [body({}, []), /one picture/],
    [body({}, [rgb, rgb]), /one picture/],
    [body({}, [new Uint8Array(3 * LOOKED_AT_SIDE_MAX ** 2 + 1)]), /too many/],
    [body({ question: [] }), /question/],
    [body({ prompt: [-1] }), /prompt/],
    [body({ prompt: Array(5000).fill(1) }), /prompt/],
    [body({ tokensMax: 0 }), /tokensMax/],
    [body({ tokensMin: 9 }), /tokensMin/],
    [body({ temperature: 3 }), /temperature/],
    [body({ topP: 0 }), /topP/],
    [body({ repetitionPenalty: 0 }), /repetitionPenalty/],
    [body({ seed: '18446744073709551616' }), /seed/]
  ]
  for (const [bytes, message] of cases) {
    t.throws(() => readDescriptionJob(bytes), { code: 'protocol_violation', message })
  }
})

t.test('a result is read where it is one', async t => {
  const result = { tokens: [1, 2], finish: 'stop' as const }
  t.strictSame(readDescriptionResult(writeDescriptionResult(result)), result)
  const written = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
  for (const wrong of [{}, { tokens: [1.5], finish: 'stop' }, { tokens: [], finish: 'tired' }, 'text']) {
    t.equal(readDescriptionResult(written(wrong)), undefined)
  }
  t.equal(readDescriptionResult(written({ tokens: Array(40_000).fill(1), finish: 'stop' })), undefined)
  t.equal(readDescriptionResult(Uint8Array.of(255)), undefined)
})

t.test('sizes that do not go together are named', async t => {
  const tower = { layerCount: 1, hiddenSize: 32, headCount: 4, feedForwardSize: 64, epsilon: 1e-5 }
  const config = {
    task: 'answer',
    imageSize: 384,
    patchSize: 16,
    mean: [0.5, 0.5, 0.5],
    deviation: [0.25, 0.25, 0.25],
    vision: tower,
    text: tower,
    textContext: 512,
    vocabularySize: 100,
    tokens: { begin: 98, end: 3 }
  }
  t.equal(lookedAtLength(blipConfigSchema.parse(config)), 577)
  const wrong: readonly (readonly [object, string])[] = [
    [{ patchSize: 15 }, 'patchSize'],
    [{ imageSize: 4096 }, 'imageSize'],
    [{ vision: { ...tower, hiddenSize: 64 } }, 'text'],
    [{ text: { ...tower, headCount: 5 } }, 'text'],
    [{ tokens: { begin: 100, end: 3 } }, 'tokens'],
    [{ deviation: [1, 0, 1] }, 'deviation']
  ]
  for (const [change, path] of wrong) {
    const { error } = blipConfigSchema.safeParse({ ...config, ...change })
    t.equal(error?.issues[0]?.path[0], path, path)
  }
  const wider = blipConfigSchema.safeParse({ ...config, task: 'caption', vision: { ...tower, hiddenSize: 64 } })
  t.ok(wider.success, 'what writes captions reads pictures of another width')
})
