import type { StageSession } from '@resultity/engine'
import { GREEDY, MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import { test } from 'tap'
import {
  type GenerationOutputs,
  GenerationSession,
  type GenerationSpec,
  type SampledToken
} from '../src/generation-session.ts'

const HIDDEN = 4
const VOCABULARY = 16

const spec: GenerationSpec = {
  promptCount: 5,
  tokensMax: 3,
  prefillChunk: 2,
  endTokens: new Set([9]),
  sampling: GREEDY,
  logprobs: false,
  topLogprobs: 0,
  vocabularySize: VOCABULARY,
  hiddenSize: HIDDEN,
  first: true,
  last: false
}

/** A KV slot that counts positions and answers with what it is told to. */
class CountingSlot implements StageSession {
  position = 0
  readonly runs: number[] = []
  disposed = false
  readonly #last: boolean
  readonly #tokens: number[]
  readonly #first: boolean

  constructor(init: { first: boolean; last: boolean; tokens?: number[] }) {
    this.#first = init.first
    this.#last = init.last
    this.#tokens = [...(init.tokens ?? [])]
  }

  async run(input: Uint32Array | Float32Array): Promise<Float32Array> {
    const count = this.#first ? input.length : input.length / HIDDEN
    this.position += count
    this.runs.push(count)
    if (!this.#last) return new Float32Array(count * HIDDEN)
    const logits = new Float32Array(VOCABULARY)
    // only the last prompt position and decode steps are sampled
    if (this.position >= spec.promptCount) logits[this.#tokens.shift() ?? 0] = 1
    return logits
  }

  truncate(position: number): void {
    this.position = position
  }

  [Symbol.dispose](): void {
    this.disposed = true
  }
}

interface Sent {
  readonly hidden: [number, number][]
  readonly next: [number, number][]
  readonly sampled: SampledToken[]
  readonly scores: Parameters<GenerationOutputs['scores']>[0][]
  readonly replayed: Parameters<GenerationOutputs['replayed']>[0][]
}

function start(overrides: Partial<GenerationSpec>, tokens: number[] = [], kept = 0) {
  const full = { ...spec, ...overrides }
  const slot = new CountingSlot({ first: full.first, last: full.last, tokens })
  slot.position = kept
  const sent: Sent = { hidden: [], next: [], sampled: [], scores: [], replayed: [] }
  const session = new GenerationSession(full, slot, {
    hidden: (position, count) => void sent.hidden.push([position, count]),
    nextToken: (position, token) => void sent.next.push([position, token]),
    sampled: token => void sent.sampled.push(token),
    scores: scores => void sent.scores.push(scores),
    replayed: replayed => void sent.replayed.push(replayed)
  })
  return { session, slot, sent }
}

const hidden = (count: number): Float32Array => new Float32Array(count * HIDDEN)

test('the first stage cuts the prompt into chunks and passes them on in order', async t => {
  const { session, sent } = start({})
  await session.prompt(Uint32Array.of(1, 2, 3, 4, 5))
  t.same(sent.hidden, [
    [0, 2],
    [2, 2],
    [4, 1]
  ])
  await session.next(5, 7)
  t.same(sent.hidden.at(-1), [5, 1])
})

test('the last stage samples after the prompt, feeds back all tokens but the last, and says why it ended', async t => {
  const cases = [
    { id: 'the token limit', tokens: [3, 4, 5], finish: 'tokens_max', fedBack: 2 },
    { id: 'an end token', tokens: [3, 9], finish: 'end_token', fedBack: 1 }
  ]
  for (const { id, tokens, finish, fedBack } of cases) {
    await t.test(id, async t => {
      const { session, sent } = start({ first: false, last: true }, tokens)
      await session.hidden(0, 2, hidden(2))
      await session.hidden(2, 2, hidden(2))
      t.same(sent.sampled, [], 'no token before the prompt is complete')
      await session.hidden(4, 1, hidden(1))
      for (let position = 5; position < 4 + tokens.length; position++) await session.hidden(position, 1, hidden(1))
      t.same(
        sent.sampled.map(({ position, token }) => [position, token]),
        tokens.map((token, index) => [5 + index, token])
      )
      t.same(sent.sampled.map(token => token.finish).at(-1), finish)
      t.equal(sent.next.length, fedBack)
      t.throws(() => session.hidden(4 + tokens.length, 1, hidden(1)), { code: 'protocol_violation' }, 'it has ended')
    })
  }
})

test('inputs that are not the next ones never reach the cache', async t => {
  const cases: { id: string; overrides?: Partial<GenerationSpec>; act: (session: GenerationSession) => unknown }[] = [
    { id: 'a prompt of another length', act: s => s.prompt(Uint32Array.of(1, 2)) },
    { id: 'a token outside the vocabulary', act: s => s.prompt(Uint32Array.of(1, 2, 3, 4, VOCABULARY)) },
    { id: 'a token inside the prompt', act: s => s.next(0, 1) },
    { id: 'a token too early', act: s => s.next(5, 1) },
    { id: 'hidden states on the first stage', act: s => s.hidden(0, 1, hidden(1)) },
    { id: 'a prompt on a later stage', overrides: { first: false }, act: s => s.prompt(Uint32Array.of(1, 2, 3, 4, 5)) },
    { id: 'a gap', overrides: { first: false }, act: s => s.hidden(1, 1, hidden(1)) },
    { id: 'more than a chunk', overrides: { first: false }, act: s => s.hidden(0, 3, hidden(3)) },
    { id: 'a length that is not the count', overrides: { first: false }, act: s => s.hidden(0, 2, hidden(1)) },
    { id: 'no position at all', overrides: { first: false }, act: s => s.hidden(0, 0, hidden(0)) }
  ]
  for (const { id, overrides, act } of cases) {
    const { session, slot } = start(overrides ?? {})
    await t.rejects(async () => act(session), { name: 'MeshError', code: 'protocol_violation' }, id)
    t.same(slot.runs, [], `${id}: nothing ran`)
  }
})

test('any order of frames leaves the cache a prefix of the right one', async () => {
  const frame = fc.record({ position: fc.nat(10), count: fc.nat(4) })
  await assertProperty(
    fc.asyncProperty(fc.array(frame, { maxLength: 30 }), async frames => {
      const { session, slot } = start({ first: false })
      let expected = 0
      for (const { position, count } of frames) {
        const before = slot.position
        try {
          await session.hidden(position, count, hidden(count))
          expected += count
        } catch (error) {
          if (!(error instanceof MeshError) || error.code !== 'protocol_violation' || slot.position !== before)
            return false
        }
        if (slot.position !== expected) return false
      }
      return expected <= spec.promptCount + spec.tokensMax - 1
    })
  )
})

test('disposing frees the slot and swallows the result of a run under way', async t => {
  const { session, slot, sent } = start({ first: false })
  const running = session.hidden(0, 2, hidden(2))
  session[Symbol.dispose]()
  await running
  t.ok(slot.disposed)
  t.same(sent.hidden, [])
})

test('the last stage holds the answer to its constraint, and tells it each token', async t => {
  const { session, sent } = start({ first: false, last: true, constrained: true }, [3, 3, 3])
  const accepted: number[] = []
  session.constrain({
    complete: false,
    ready: () => undefined,
    [Symbol.dispose]: () => undefined,
    // only the token after the one before
    mask: logits => logits.set(logits.map((logit, token) => (token === accepted.length + 5 ? logit : -Infinity))),
    accept: token => void accepted.push(token)
  })
  await session.hidden(0, 2, hidden(2))
  await session.hidden(2, 2, hidden(2))
  for (let position = 4; position < 7; position++) await session.hidden(position, 1, hidden(1))
  t.same(
    sent.sampled.map(({ token }) => token),
    [5, 6, 7]
  )
  t.same(accepted, [5, 6, 7])
})

test('tokens that stand are run by the first stage after the prompt, each by itself', async t => {
  const { session, slot, sent } = start({ committed: [7, 8], tokensMax: 4 })
  await session.prompt(Uint32Array.of(1, 2, 3, 4, 5))
  t.same(slot.runs, [2, 2, 1, 1, 1])
  t.same(sent.hidden.slice(3), [
    [5, 1],
    [6, 1]
  ])
  t.throws(() => session.next(5, 7), { message: /position 5, where another stands/ })
  await session.next(7, 3)
  t.same(sent.hidden.at(-1), [7, 1])
})

test('the last stage takes them, says how the last came out, and samples on', async t => {
  for (const [again, exact] of [
    [8, true],
    [2, false]
  ] as const) {
    const { session, sent } = start({ first: false, last: true, committed: [7, 8], tokensMax: 4 }, [1, again, 3, 4])
    await session.hidden(0, 2, hidden(2))
    await session.hidden(2, 2, hidden(2))
    for (const position of [4, 5]) await session.hidden(position, 1, hidden(1))
    t.same([sent.next, sent.sampled], [[], []], 'nothing is told of tokens that stand')
    t.same(sent.replayed, [{ position: 6, exact }])
    for (const position of [6, 7]) await session.hidden(position, 1, hidden(1))
    t.same(sent.next, [[7, 3]])
    t.match(sent.sampled, [
      { position: 7, token: 3, finish: 'continues' },
      { position: 8, token: 4, finish: 'tokens_max' }
    ])
    t.equal(sent.replayed.length, 1)
  }
})

test('a second prompt is refused while the first runs', async t => {
  const { session, slot } = start({})
  const running = session.prompt(Uint32Array.of(1, 2, 3, 4, 5))
  await t.rejects(session.prompt(Uint32Array.of(1, 2, 3, 4, 5)), { code: 'protocol_violation', message: /twice/ })
  await running
  t.equal(slot.position, 5)
})

test('a stage alone goes on by itself', async t => {
  const { session, slot, sent } = start({ last: true, committed: [7], tokensMax: 2 }, [7, 3])
  await session.prompt(Uint32Array.of(1, 2, 3, 4, 5))
  t.same(slot.runs, [2, 2, 1, 1])
  t.same(sent.replayed, [{ position: 5, exact: true }])
  t.match(sent.sampled, [{ position: 6, token: 3, finish: 'tokens_max' }])
})

test('log-probabilities are those of their own step where the next one begins at once', async t => {
  // as an engine may: one buffer for the logits of all runs, written over as soon as the next begins
  const logits = new Float32Array(VOCABULARY)
  let position = 0
  const slot: StageSession = {
    get position() {
      return position
    },
    run: async input => {
      position += input.length
      for (let token = 0; token < VOCABULARY; token++) logits[token] = ((token * 7 + position * 5) % VOCABULARY) / 4
      return logits
    },
    truncate: () => undefined,
    [Symbol.dispose]: () => undefined
  }
  const sampled: SampledToken[] = []
  const full = { ...spec, last: true, tokensMax: 3, endTokens: new Set<number>(), logprobs: true, topLogprobs: 2 }
  const steps: Promise<void>[] = []
  const session: GenerationSession = new GenerationSession(full, slot, {
    hidden: () => undefined,
    nextToken: (position, token) => void steps.push(session.next(position, token)),
    sampled: token => void sampled.push(token),
    scores: () => undefined,
    replayed: () => undefined
  })
  await session.prompt(Uint32Array.of(1, 2, 3, 4, 5))
  // each step begins within the one before
  for (const step of steps) await step
  t.equal(sampled.length, 3)
  const highest = (VOCABULARY - 1) / 4
  const sum = Array.from({ length: VOCABULARY }, (_, rank) => Math.exp(rank / 4 - highest)).reduce((a, b) => a + b)
  for (const { token, logprob, top } of sampled) {
    t.equal(top[0]?.token, token, 'what was taken was the most probable')
    t.ok(Math.abs(logprob + Math.log(sum)) < 1e-6)
    t.ok(Math.abs((top[1]?.logprob ?? 0) + Math.log(sum) + 0.25) < 1e-6)
  }
})

test('penalties and a constraint know of tokens that stand as if they had been sampled', async t => {
  const committed = [5, 6]
  // what has come twice is not picked again, and what has come once hardly
  const sampling = { ...GREEDY, frequencyPenalty: 2 }
  const { session, sent } = start({ first: false, last: true, sampling, committed, tokensMax: 4 }, [5, 6, 6, 1])
  const accepted: number[] = []
  session.constrain({
    complete: false,
    ready: () => Promise.resolve(),
    [Symbol.dispose]: () => undefined,
    mask: logits => logits.fill(Number.NEGATIVE_INFINITY, 8),
    accept: token => void accepted.push(token)
  })
  await session.hidden(0, 2, hidden(2))
  await session.hidden(2, 2, hidden(2))
  for (const position of [4, 5, 6]) await session.hidden(position, 1, hidden(1))
  t.same(sent.replayed, [{ position: 6, exact: true }], 'compared before it counts')
  t.equal(sent.sampled[0]?.token, 0, 'the model would have said 6 once more')
  t.same(accepted, [5, 6, 0])
})

test('an answer that cannot go on is refused', async t => {
  const cases: Record<string, number[]> = {
    'all its tokens stand': [1, 2, 3],
    'an end token stands': [1, 9],
    'a token that the model does not have': [VOCABULARY]
  }
  for (const [name, committed] of Object.entries(cases)) {
    t.throws(() => start({ committed }), { code: 'protocol_violation' }, name)
  }
})

test('a prompt that comes before the constraint is refused', async t => {
  const { session, sent } = start({ first: false, last: true, constrained: true, promptCount: 1 })
  await t.rejects(session.hidden(0, 1, hidden(1)), { code: 'protocol_violation' })
  t.same(sent.sampled, [])
})

test('the last stage scores the prompt, all tokens but the first, before the answer', async t => {
  const scoring = { first: false, last: true, prefillChunk: 1, promptLogprobs: true, topLogprobs: 1 }
  const { session, sent } = start({ ...scoring, promptTokens: [1, 2, 3, 4, 5] }, [7])
  for (let position = 0; position < 4; position++) await session.hidden(position, 1, hidden(1))
  t.equal(sent.sampled.length, 0)
  t.match(sent.scores, [{ position: 1, scores: { length: 4 } }])
  // the slot's logits are all the same before the prompt is complete
  for (const { logprob, top } of sent.scores[0]?.scores ?? []) {
    t.ok(Math.abs(logprob + Math.log(VOCABULARY)) < 1e-6)
    t.equal(top.length, 1)
  }
  await session.hidden(4, 1, hidden(1))
  t.equal(sent.sampled[0]?.token, 7)
})

test('a prompt cannot be scored in chunks, nor without its tokens', async t => {
  const scoring = { first: false, last: true, prefillChunk: 1, promptLogprobs: true }
  const cases: Partial<GenerationSpec>[] = [
    { ...scoring, prefillChunk: 2, promptTokens: [1, 2, 3, 4, 5] },
    { ...scoring, promptTokens: [1, 2, 3, 4] },
    { ...scoring },
    { ...scoring, promptTokens: [1, 2, 3, 4, VOCABULARY] }
  ]
  for (const spec of cases) t.throws(() => start(spec), { code: 'protocol_violation' })
})

test('a prompt begins behind what all stages have kept, in the steps that it would have', async t => {
  const first = start({ promptCount: 8 }, [], 4)
  await first.session.prompt(Uint32Array.of(1, 2, 3, 4, 5, 6, 7, 8), 2)
  t.same(first.slot.runs, [2, 2, 2], 'this stage has kept more than another')
  t.same(first.sent.hidden, [
    [2, 2],
    [4, 2],
    [6, 2]
  ])
  const second = start({ first: false, promptCount: 8 }, [], 6)
  await second.session.hidden(2, 2, new Float32Array(2 * HIDDEN))
  t.equal(second.slot.position, 4, 'what it has kept behind that is forgotten')
  t.throws(
    () => second.session.hidden(2, 2, new Float32Array(2 * HIDDEN)),
    { message: /4 is next/ },
    'only at the beginning'
  )
})

test('nobody begins where it has kept nothing, or within a step', async t => {
  const tokens = Uint32Array.of(1, 2, 3, 4, 5)
  const cases = [
    { id: 'more than there is', kept: 2, from: 4, message: /position 4 came, 2 is next/ },
    { id: 'within a step', kept: 4, from: 3, message: /position 3 came, 4 is next/ },
    { id: 'all of the prompt', kept: 4, from: 5, message: /5 positions are said to be kept, of 5/ }
  ]
  for (const { id, kept, from, message } of cases) {
    const { session, slot } = start({}, [], kept)
    await t.rejects(session.prompt(tokens, from), { code: 'protocol_violation', message }, id)
    t.same(slot.runs, [], id)
  }
})
