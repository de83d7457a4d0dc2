import { MeshError, type SynthesisJob, synthesisJobSchema, toSynthesisResult } from '@resultity/interface'
import { placeableVoice } from '@resultity/test-nodes'
import t from 'tap'
import type { NodeJob } from '../src/node-jobs/node-jobs.ts'
import { speak } from '../src/node-jobs/speaker.ts'

const route = { placementId: 'p1', stages: [{ peerId: 'node', range: { first: 0, end: 1 } }] }

async function run(answer: (job: SynthesisJob) => unknown, sentences: number[][], speaker?: number) {
  const jobs: SynthesisJob[] = []
  const asked: number[] = []
  const components = {
    nodeJobs: {
      run: async ({ body }: NodeJob) => {
        const job = synthesisJobSchema.parse(JSON.parse(new TextDecoder().decode(body)))
        jobs.push(job)
        return { result: new TextEncoder().encode(JSON.stringify(await answer(job))), route }
      }
    },
    replicas: {
      ask: (_: unknown, __: unknown, count: number) => void asked.push(count),
      jobsMax: () => 2,
      onChange: () => () => {}
    }
  }
  const request = {
    jobId: 'job',
    model: placeableVoice({ a: 0, b: 1 }),
    routing: {},
    sentences,
    manner: { lengthScale: 0.5 }
  }
  const spoken = []
  for await (const one of speak(components, { ...request, ...(speaker === undefined ? {} : { speaker }) }))
    spoken.push(one)
  return { jobs, spoken, asked }
}

/** Says as many samples as there are ids, each of the first id's value. */
const said = ({ phonemeIds }: SynthesisJob) =>
  toSynthesisResult(new Float32Array(phonemeIds.length).fill((phonemeIds[0] ?? 0) / 8), 16_000)

t.test('each sentence is a job of its own, and they come in order', async t => {
  const { jobs, spoken, asked } = await run(
    async job => {
      // the first is the slowest
      if (job.phonemeIds[0] === 1) await new Promise(resolve => setImmediate(resolve))
      return said(job)
    },
    [[1, 0], [2, 0, 0], [3]],
    1
  )
  t.strictSame(asked, [3], 'nodes for three sentences were asked for')
  t.strictSame(jobs[1], { phonemeIds: [2, 0, 0], speaker: 1, lengthScale: 0.5 })
  t.strictSame(
    spoken.map(({ samples }) => [samples.length, samples[0]]),
    [
      [2, 4096],
      [3, 8192],
      [1, 12_288]
    ]
  )
  t.strictSame(spoken[0]?.route, route)
})

t.test('a result that is none names the node', async t => {
  const bad = [
    () => 'nothing',
    () => ({ sampleRate: 16_000, samples: '' }),
    () => ({ sampleRate: 16_000, samples: 'AA==' }),
    () => ({ sampleRate: 8000, samples: 'AAA=' }),
    () => ({ sampleRate: 16_000, samples: '?' })
  ]
  for (const answer of bad) {
    await t.rejects(run(answer, [[1]]), { code: 'protocol_violation', details: { peerId: 'node' } })
  }
})

t.test('a sentence that fails ends all', async t => {
  const lost = new MeshError('node_lost', 'gone')
  await t.rejects(
    run(job => (job.phonemeIds[0] === 2 ? Promise.reject(lost) : said(job)), [[1], [2], [3]]),
    lost
  )
})
