import type { StageSession } from '@resultity/engine'
import { allFinite, GREEDY, MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import { type Activations, floatsToHidden, type NextToken, type OpenSession, type StageFrame } from '@resultity/wire'
import fc from 'fast-check'
import { test } from 'tap'

import { LinkedSession } from '../src/linked-session.ts'
import { SentLogs } from '../src/sent-log.ts'
import type { StageStream } from '../src/stage-stream.ts'

const HIDDEN = 8
const session = new Uint8Array(16).fill(3)

const open: OpenSession = {
  type: 'open',
  session,
  epoch: 1,
  placementId: 'p',
  range: { first: 1, end: 2 },
  next: { peerId: 'next', multiaddrs: [] },
  previousPeer: 'previous',
  promptCount: 4,
  tokensMax: 4,
  prefillChunk: 4,
  endTokens: [],
  sampling: GREEDY,
  leaseMs: 1000,
  logprobs: false,
  topLogprobs: 0
}

/** A stream that takes everything. */
function acceptingStream(): StageStream {
  return { closed: false, send: async () => {}, close: async () => {}, abort: () => {} } as unknown as StageStream
}

function setUp() {
  const told: StageFrame[] = []
  let runs = 0
  let position = 0
  const stream = {
    closed: false,
    send: async (frame: StageFrame) => void told.push(frame),
    sendAll: async (frames: readonly StageFrame[]) => void told.push(...frames),
    close: async () => {},
    abort: () => {}
  } as unknown as StageStream
  const stage: StageSession = {
    get position() {
      return position
    },
    async run(input) {
      runs++
      position += input instanceof Float32Array ? input.length / HIDDEN : input.length
      return input instanceof Float32Array ? input : new Float32Array(input.length * HIDDEN)
    },
    truncate: () => {},
    [Symbol.dispose]: () => {}
  }
  const linked = new LinkedSession(
    { control: stream, stage, log: new SentLogs(0).open(), now: () => 0, onClosed: () => {} },
    { open, first: false, last: false, hiddenSize: HIDDEN, vocabularySize: 16 }
  )
  return { linked, told, runs: () => runs }
}

test('hidden states that are no numbers end the session, name their sender and reach no cache', async t => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (const index of [0, 5, 4 * HIDDEN - 1]) {
      const { linked, told, runs } = setUp()
      const floats = new Float32Array(4 * HIDDEN).fill(1.5)
      floats[index] = value
      const hidden = floatsToHidden(floats)
      await linked.input({ type: 'activations', session, epoch: 1, position: 0, count: 4, hidden })
      t.equal(runs(), 0)
      t.ok(linked.closed)
      t.match(told, [{ type: 'fault', blamedPeer: 'previous', error: { message: /the stage at previous sent/ } }])
    }
  }
})

test('what the previous stage may not send ends the session and names it', async t => {
  const hidden = floatsToHidden(new Float32Array(HIDDEN))
  const frames: { id: string; frame: Activations | NextToken }[] = [
    { id: 'out of turn', frame: { type: 'activations', session, epoch: 1, position: 3, count: 1, hidden } },
    { id: 'of another size', frame: { type: 'activations', session, epoch: 1, position: 0, count: 2, hidden } },
    {
      id: 'a token, to a stage that is not the first',
      frame: { type: 'next', session, epoch: 1, position: 4, token: 1 }
    }
  ]
  for (const { id, frame } of frames) {
    const { linked, told, runs } = setUp()
    await linked.input(frame)
    t.equal(runs(), 0, id)
    const error = { code: 'protocol_violation', message: /the stage at previous broke the protocol/ }
    t.match(told, [{ type: 'fault', blamedPeer: 'previous', error }], id)
  }
})

test('every finite value passes, any other is found wherever it stands', async () => {
  const finite = fc.float({ noNaN: true, noDefaultInfinity: true })
  const strange = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)
  const holds = fc.property(fc.array(finite, { maxLength: 70 }), fc.nat(), strange, (values, at, odd) => {
    const floats = Float32Array.from(values)
    if (!allFinite(floats)) return false
    if (floats.length === 0) return true
    floats[at % floats.length] = odd
    return !allFinite(floats)
  })
  assertProperty(holds, { numRuns: 1000 })
})

test('the next stage may acknowledge what was sent and nothing else', async t => {
  const cases: { id: string; frame: StageFrame; code?: string }[] = [
    { id: 'what was sent', frame: { type: 'hop_ack', session, epoch: 1, position: 4 } },
    { id: 'more than that', frame: { type: 'hop_ack', session, epoch: 1, position: 5 }, code: 'protocol_violation' },
    {
      id: 'another session',
      frame: { type: 'hop_ack', session: new Uint8Array(16), epoch: 1, position: 4 },
      code: 'protocol_violation'
    },
    { id: 'an earlier route', frame: { type: 'hop_ack', session, epoch: 0, position: 9 } },
    { id: 'what belongs elsewhere', frame: { type: 'opened', session, epoch: 1 }, code: 'protocol_violation' }
  ]
  for (const { id, frame, code } of cases) {
    const { linked, told } = setUp()
    const hidden = floatsToHidden(new Float32Array(4 * HIDDEN))
    linked.connectNext(acceptingStream())
    await linked.input({ type: 'activations', session, epoch: 1, position: 0, count: 4, hidden })
    linked.fromNext(frame)
    t.equal(linked.closed, code !== undefined, id)
    t.match(told, code === undefined ? [] : [{ type: 'fault', error: { code } }])
    linked.close()
  }
})

test('a hop that broke is named before the session fails', async t => {
  const { linked, told } = setUp()
  linked.hopBroke('next')
  linked.fail(new MeshError('node_lost', 'the next stage went away'))
  linked.hopBroke('next')
  t.match(told, [
    { type: 'link_fault', epoch: 1, peerId: 'next', silentMs: 0 },
    { type: 'fault', error: { code: 'node_lost' } }
  ])
  t.equal(told.length, 2)
})

test('a previous stage that does not wait until all are open makes nobody say that it has kept more', async t => {
  const { linked, runs } = setUp()
  const hidden = floatsToHidden(new Float32Array(4 * HIDDEN))
  await linked.input({ type: 'activations', session, epoch: 1, position: 0, count: 4, hidden })
  t.equal(runs(), 1)
  t.equal(linked.kept, 0)
  linked.close()
})
