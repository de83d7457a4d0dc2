import type { StageSession } from '@resultity/engine'
import { GREEDY } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import { floatsToHidden, type OpenSession, type StageFrame } from '@resultity/wire'
import fc from 'fast-check'
import { test } from 'tap'
import { allFinite } from '../src/finite.ts'
import { LinkedSession, type StageStream } from '../src/linked-session.ts'

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

function setUp() {
  const told: StageFrame[] = []
  let runs = 0
  const stream = {
    closed: false,
    send: async (frame: StageFrame) => void told.push(frame),
    sendAll: async (frames: readonly StageFrame[]) => void told.push(...frames),
    close: async () => {},
    abort: () => {}
  } as unknown as StageStream
  const stage: StageSession = {
    position: 0,
    async run(input) {
      runs++
      return input instanceof Float32Array ? input : new Float32Array(input.length * HIDDEN)
    },
    truncate: () => {},
    [Symbol.dispose]: () => {}
  }
  const linked = new LinkedSession(
    { control: stream, stage, now: () => 0, onClosed: () => {} },
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
      t.match(told, [{ type: 'fault', error: { code: 'protocol_violation', message: /the stage at previous sent/ } }])
    }
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
