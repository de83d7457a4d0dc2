import { LOGIT_BIAS_MAX, type Route, type Sampling } from '@resultity/interface'
import { stageCodec } from '@resultity/wire'
import t from 'tap'
import { openFrame } from '../src/open-frame.ts'

const LIMITS = { sessionLeaseMs: 1000, tellWithinMs: 10 }
const nodeA = { peerId: 'node-a', multiaddrs: ['/ip4/10.0.0.1/tcp/1'] }
const nodeB = { peerId: 'node-b', multiaddrs: ['/ip4/10.0.0.2/tcp/1'] }

const route: Route = {
  placementId: 'p-1',
  stages: [
    { peerId: 'node-a', range: { first: 0, end: 2 } },
    { peerId: 'node-b', range: { first: 2, end: 4 } }
  ]
}

function initWith(sampling: Sampling): Parameters<typeof openFrame>[0] {
  return {
    route,
    session: new Uint8Array(16),
    epoch: 1,
    prompt: [1, 2, 3],
    committed: [],
    tokensMax: 8,
    tokensMin: 0,
    prefillChunk: 4,
    endTokens: new Set([0]),
    sampling,
    logprobs: false,
    topLogprobs: 0,
    vocabularySize: 262_144,
    promptLogprobs: false,
    workClass: 'interactive',
    watched: false
  }
}

t.test('biases go to the stage that samples, as many as a request may have', async t => {
  const logitBias = Array.from({ length: LOGIT_BIAS_MAX }, (_, index) => ({ token: index * 4, bias: -100 }))
  const init = initWith({ temperature: 0, topP: 1, seed: 7n, logitBias })
  const first = openFrame(init, 0, { previous: nodeB, next: nodeB }, LIMITS)
  t.same(first.sampling, { temperature: 0, topP: 1, seed: 7n })
  const last = openFrame(init, 1, { previous: nodeA, next: nodeA }, LIMITS)
  const read = stageCodec.decode(Buffer.concat([stageCodec.encode(last)].flat()))
  t.equal(read.type, 'open')
  t.same(read.type === 'open' && read.sampling.logitBias, logitBias)
})
