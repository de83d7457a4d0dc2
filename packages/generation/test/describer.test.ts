import { type DescriptionJob, MeshError, readDescriptionJob } from '@resultity/interface'
import { placeableCaptioner, placeableVoice } from '@resultity/test-nodes'
import t from 'tap'
import { type DescribeRequest, describe } from '../src/node-jobs/describer.ts'
import type { NodeJob } from '../src/node-jobs/node-jobs.ts'

const route = { placementId: 'p1', stages: [{ peerId: 'node', range: { first: 0, end: 1 } }] }

const request: DescribeRequest = {
  jobId: 'job',
  model: placeableCaptioner(),
  routing: {},
  prompt: [5],
  tokensMax: 4,
  tokensMin: 1,
  temperature: 0,
  topP: 1,
  repetitionPenalty: 1,
  seed: '7',
  rgb: new Uint8Array(3 * 32 * 32).fill(9)
}

async function run(result: unknown, change: Partial<DescribeRequest> = {}) {
  const jobs: DescriptionJob[] = []
  const nodeJobs = {
    run: async ({ body, endpoint }: NodeJob) => {
      t.equal(endpoint, '/v1/images/description')
      jobs.push(readDescriptionJob(body))
      return { result: new TextEncoder().encode(JSON.stringify(result)), route }
    }
  }
  return { jobs, description: await describe({ nodeJobs }, { ...request, ...change }) }
}

t.test('a node is sent what is asked, and what it answers is told with its route', async t => {
  const { jobs, description } = await run({ tokens: [7, 8], finish: 'stop' })
  t.strictSame(description, { tokens: [7, 8], finish: 'stop', route })
  const { jobId: _, model: __, routing: ___, ...sent } = request
  t.strictSame(jobs, [sent])
  const cut = await run({ tokens: [7, 8, 9, 10], finish: 'length' })
  t.equal(cut.description.tokens.length, 4)
  // the context has 40 tokens, of which the beginning takes two
  const long = await run({ tokens: Array(38).fill(7), finish: 'length' }, { tokensMax: 64 })
  t.equal(long.description.tokens.length, 38)
})

t.test('a result that is none of this model and job names the node', async t => {
  const wrong: readonly unknown[] = [
    {},
    { tokens: [100], finish: 'stop' },
    { tokens: [3], finish: 'stop' },
    { tokens: [], finish: 'stop' },
    { tokens: [7], finish: 'length' },
    { tokens: [7, 7, 7, 7], finish: 'stop' },
    { tokens: [7, 7, 7, 7, 7], finish: 'length' },
    { tokens: ['7'], finish: 'stop' }
  ]
  for (const result of wrong) {
    await t.rejects(run(result), { code: 'protocol_violation', details: { peerId: 'node' } }, JSON.stringify(result))
  }
})

t.test('a model of another kind is refused, and what nodes throw comes through', async t => {
  await t.rejects(run({}, { model: placeableVoice() }), { code: 'invalid_request' })
  const lost = new MeshError('node_lost', 'gone')
  const nodeJobs = {
    run: async () => {
      throw lost
    }
  }
  await t.rejects(describe({ nodeJobs }, request), lost)
})
