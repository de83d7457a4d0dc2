import {
  fromPcm,
  MeshError,
  type TranscriptionJob,
  type TranscriptionResult,
  transcriptionJobSchema
} from '@resultity/interface'
import { placeableSpeech } from '@resultity/test-nodes'
import t from 'tap'
import type { NodeJob } from '../src/node-jobs/node-jobs.ts'
import { type TranscribeRequest, transcribe } from '../src/node-jobs/transcriber.ts'

const route = { placementId: 'p1', stages: [{ peerId: 'node', range: { first: 0, end: 2 } }] }
/** A timestamp so many seconds behind a window's beginning. */
const at = (seconds: number): number => 110 + seconds * 50

const segment = (tokens: readonly number[], changes: Partial<TranscriptionResult['segments'][number]> = {}) => ({
  seek: 0,
  start: 0,
  end: 1,
  tokens: [...tokens],
  logprobs: tokens.map(() => -0.5),
  temperature: 0,
  averageLogprob: -0.5,
  compressionRatio: 1,
  noSpeech: 0.1,
  ...changes
})

/** Runs a request over pieces of one second by a node that answers as told. */
async function run(
  answer: (job: TranscriptionJob, index: number) => unknown,
  {
    seconds = [1, 1, 1],
    multilingual = true,
    ...changes
  }: Partial<TranscribeRequest> & { seconds?: number[]; multilingual?: boolean } = {}
) {
  const jobs: TranscriptionJob[] = []
  const asked: number[] = []
  const model = placeableSpeech(multilingual)
  const components = {
    nodeJobs: {
      run: async ({ body }: NodeJob) => {
        const job = transcriptionJobSchema.parse(JSON.parse(new TextDecoder().decode(body)))
        const index = jobs.push(job) - 1
        return { result: new TextEncoder().encode(JSON.stringify(answer(job, index))), route }
      }
    },
    replicas: {
      ask: (_: unknown, __: unknown, count: number) => void asked.push(count),
      jobsMax: () => 2,
      onChange: () => () => {}
    }
  }
  const request: TranscribeRequest = {
    jobId: 'job',
    model,
    routing: {},
    pieces: seconds.map((count, index) => new Float32Array(16_000 * count).fill((index + 1) / 8)),
    task: 'transcribe',
    prompt: [7],
    temperatures: [0],
    words: false,
    seed: 5,
    ...changes
  }
  const pieces = []
  for await (const piece of transcribe(components, request)) pieces.push(piece)
  return { jobs, pieces, asked }
}
const said = (code = 'de') => ({ language: { code, probability: 1 }, segments: [segment([at(0), 1, at(1)])] })
const silent = { language: { code: 'en', probability: 0.4 }, segments: [] }

t.test('each piece is a job of its own, with a seed of its own', async t => {
  const { jobs, pieces, asked } = await run(() => said(), { language: 'de' })
  t.strictSame(asked, [3], 'nodes for three pieces were asked for')
  t.strictSame(
    jobs.map(({ seed, language, prompt }) => [seed, language, prompt]),
    [
      [5, 'de', [7]],
      [6, 'de', [7]],
      [7, 'de', [7]]
    ]
  )
  t.strictSame(
    jobs.map(({ pcm }) => fromPcm(pcm)?.[0]),
    [1 / 8, 2 / 8, 3 / 8]
  )
  t.equal(pieces.length, 3)
  t.same(pieces[0]?.route, route)
})

t.test('the first piece in which something is said decides the language of those behind it', async t => {
  const { jobs } = await run((_, index) => (index === 0 ? silent : said()), { seconds: [1, 1, 1, 1] })
  t.strictSame(
    jobs.map(({ language }) => language),
    [undefined, undefined, 'de', 'de']
  )
})

t.test('a model for English is not told a language', async t => {
  const { jobs } = await run(() => said('en'), { multilingual: false })
  t.strictSame(
    jobs.map(({ language }) => language),
    [undefined, undefined, undefined]
  )
})

t.test('times end with the piece, for a window is longer', async t => {
  const words = [{ tokens: [1], start: 0.2, end: 30 }]
  const { pieces } = await run(() => ({ ...said(), segments: [segment([at(0), 1], { start: 0.5, end: 30, words })] }), {
    seconds: [2]
  })
  t.match(pieces[0]?.segments, [{ start: 0.5, end: 2, words: [{ start: 0.2, end: 2 }] }])
})

t.test('a result that no such model gives is the fault of its node', async t => {
  const wrong: Readonly<Record<string, unknown>> = {
    'no object': [],
    'a language that the model lacks': said('fr'),
    'a token outside the vocabulary': { ...said(), segments: [segment([at(0), 2000])] },
    'a token that steers': { ...said(), segments: [segment([at(0), 105])] },
    'a word of a timestamp': {
      ...said(),
      segments: [segment([at(0), 1], { words: [{ tokens: [at(0)], start: 0, end: 1 }] })]
    },
    'an end before the beginning': { ...said(), segments: [segment([at(0), 1], { start: 2, end: 1 })] },
    'a time beyond every window': { ...said(), segments: [segment([at(0), 1], { end: 61 })] },
    'a time that is no number': { ...said(), segments: [segment([at(0), 1], { end: Number.NaN })] },
    'too few probabilities': { ...said(), segments: [segment([at(0), 1], { logprobs: [] })] },
    'windows that go back': {
      ...said(),
      segments: [segment([at(0), 1], { seek: 90 }), segment([at(0), 1], { seek: 20 })]
    },
    'no token': { ...said(), segments: [segment([])] },
    'far too much': { ...said(), more: 'x'.repeat(3_000_000) }
  }
  for (const [name, answer] of Object.entries(wrong)) {
    await t.rejects(
      run(() => answer, { seconds: [1] }),
      { code: 'protocol_violation', message: /^node node: / },
      name
    )
  }
})

t.test('a failure of one piece is that of the recording', async t => {
  const failure = new MeshError('engine_failed', 'broken')
  const failing = run((_, index) => {
    if (index === 1) throw failure
    return said()
  })
  await t.rejects(failing, failure)
})
