import { MeshError } from '@resultity/interface'
import type { Finish, Replayed, Sampled, SessionOpened, StageFrame } from '@resultity/wire'
import t from 'tap'
import { GenerationState } from '../src/generation-state.ts'

const session = new Uint8Array(16).fill(7)
const opened: SessionOpened = { type: 'opened', session, epoch: 1 }

function scores(position: number, count: number): StageFrame {
  const score = { logprob: -1, top: [] }
  return { type: 'scores', session, epoch: 1, position, scores: Array.from({ length: count }, () => score) }
}

function sampled(position: number, finish: Finish = 'continues', overrides: Partial<Sampled> = {}): Sampled {
  return { type: 'sampled', session, epoch: 1, position, token: 5, finish, logprob: 0, top: [], ...overrides }
}

/** Two stages, a prompt of ten, three tokens, 9 ends. */
function fresh(promptLogprobs = false, topLogprobs?: number, tokensMin = 0): GenerationState {
  const counts = { stageCount: 2, promptCount: 10, tokensMax: 3, vocabularySize: 100, topLogprobs }
  const rules = { endTokens: new Set([9]), tokensMin, promptLogprobs }
  return new GenerationState({ session, epoch: 1, ...counts, ...rules, committed: [] })
}

/** The second route of an answer of which two tokens stand. */
function resumed(promptLogprobs = false): GenerationState {
  const counts = { stageCount: 2, promptCount: 10, tokensMax: 4, vocabularySize: 100, topLogprobs: undefined }
  const route = { session, epoch: 2, committed: [5, 6], endTokens: new Set([9]), tokensMin: 0, promptLogprobs }
  const state = new GenerationState({ ...route, ...counts })
  for (const stage of [0, 1]) state.admit(stage, { ...opened, epoch: 2 })
  return state
}

const replayed = (position: number, overrides: Partial<Replayed> = {}): Replayed => {
  return { type: 'replayed', session, epoch: 2, position, exact: true, ...overrides }
}

function open(promptLogprobs = false, topLogprobs?: number, tokensMin = 0): GenerationState {
  const state = fresh(promptLogprobs, topLogprobs, tokensMin)
  state.admit(0, opened)
  state.admit(1, opened)
  return state
}

t.test('a generation opens, is prompted, decodes and ends', async t => {
  const state = fresh()
  t.equal(state.admit(1, opened), undefined, 'one stage of two')
  t.equal(state.phase, 'opening')
  t.same(state.admit(0, opened), { type: 'opened', kept: 0 })
  t.equal(state.phase, 'prompted')
  t.match(state.admit(1, sampled(10)), { type: 'token' })
  t.equal(state.phase, 'decoding')
  state.admit(1, sampled(11))
  t.equal(state.admit(1, sampled(11, 'continues', { epoch: 0 })), undefined, 'a frame of an earlier route is dropped')
  state.admit(1, sampled(12, 'tokens_max'))
  t.equal(state.phase, 'ended')
  t.same(state.tokens, [5, 5, 5])
})

t.test(
  'a route begins where the stage that has kept the least does, and none may have kept what it was not asked',
  async t => {
    const counts = { stageCount: 3, promptCount: 40, tokensMax: 3, vocabularySize: 100, topLogprobs: undefined }
    const rules = { endTokens: new Set([9]), tokensMin: 0, promptLogprobs: false, committed: [] }
    const routeOf = (): GenerationState =>
      new GenerationState({ session, epoch: 1, ...counts, ...rules, prefix: { blockCount: 4, positions: 8 } })
    const cases = [
      { kept: [32, 16, 32], begins: 16 },
      { kept: [32, 32, 0], begins: 0 },
      { kept: [32, 32, 32], begins: 32 }
    ]
    for (const { kept, begins } of cases) {
      const state = routeOf()
      const steps = kept.map((one, stage) => state.admit(stage, { ...opened, kept: one }))
      t.same(steps.at(-1), { type: 'opened', kept: begins })
    }
    for (const kept of [40, 12, 2 ** 31 - 8]) {
      t.throws(() => routeOf().admit(0, { ...opened, kept }), { code: 'protocol_violation', message: /of 4 times 8/ })
    }
    t.throws(() => fresh().admit(0, { ...opened, kept: 8 }), { code: 'protocol_violation' }, 'nobody asked')
  }
)

t.test('stages that wait for it are told where to go on, if what they say can be', async t => {
  const counts = { stageCount: 3, promptCount: 10, tokensMax: 9, vocabularySize: 100, topLogprobs: undefined }
  const rules = { endTokens: new Set([9]), tokensMin: 0, promptLogprobs: false, committed: [1, 2, 3] }
  const resume = { positionsMax: 11, prefillChunk: 4 }
  const routeOf = (): GenerationState => new GenerationState({ session, epoch: 2, ...counts, ...rules, resume })
  const openedWith = (held?: number, loggedFrom = held): StageFrame => {
    const resumes = held === undefined || loggedFrom === undefined ? {} : { resumes: { held, loggedFrom } }
    return { type: 'opened', session, epoch: 2, ...resumes }
  }
  const all = (frames: readonly StageFrame[]) => {
    const state = routeOf()
    return frames.map((frame, stage) => state.admit(stage, frame)).at(-1)
  }
  t.match(all([openedWith(11, 0), openedWith(0), openedWith(11)]), {
    resume: new Map([
      [0, { begin: 11, sendFrom: 0 }],
      [1, { begin: 0, sendFrom: 11 }],
      [2, { begin: 11, sendFrom: 11 }]
    ])
  })
  const nothing = { begin: 0, sendFrom: 0 }
  t.same(
    all([openedWith(11, 0), openedWith(), openedWith(11)]),
    {
      type: 'opened',
      kept: 0,
      resume: new Map([
        [0, nothing],
        [2, nothing]
      ])
    },
    'one of an earlier version'
  )
  t.same(all([openedWith(), openedWith(), openedWith()]), { type: 'opened', kept: 0 }, 'all are')
  for (const [held, loggedFrom] of [
    [12, 12],
    [5, 4],
    [8, 2],
    [11, 9]
  ]) {
    t.throws(() => routeOf().admit(0, openedWith(held, loggedFrom)), { code: 'protocol_violation' }, `${held}`)
  }
  const nobodyAsked = new GenerationState({ session, epoch: 2, ...counts, ...rules })
  t.throws(() => nobodyAsked.admit(0, openedWith(0)), { code: 'protocol_violation' })
})

t.test('an end token ends it early', async t => {
  const state = open()
  state.admit(1, sampled(10, 'end_token', { token: 9 }))
  t.equal(state.phase, 'ended')
  t.throws(() => state.admit(1, sampled(11)), { code: 'protocol_violation', message: /after the last/ })
})

t.test('an end token may not come before as many tokens as were asked for', async t => {
  const state = open(false, undefined, 1)
  const early = { code: 'protocol_violation', message: /1 were to come/ }
  t.throws(() => state.admit(1, sampled(10, 'end_token', { token: 9 })), early)
  const patient = open(false, undefined, 1)
  patient.admit(1, sampled(10))
  patient.admit(1, sampled(11, 'end_token', { token: 9 }))
  t.equal(patient.phase, 'ended')
})

t.test('scores of the prompt come before the first token, in any portions', async t => {
  const state = open(true)
  t.match(state.admit(1, scores(1, 4)), { type: 'scores', scores: { position: 1 } })
  t.match(state.admit(1, scores(5, 5)), { type: 'scores' })
  t.match(state.admit(1, sampled(10)), { type: 'token' })
  t.throws(() => state.admit(1, scores(1, 9)), { message: /out of turn/ })
})

t.test('what a stage may not say is a violation', async t => {
  const other = new Uint8Array(16)
  const cases: { id: string; from?: number; frame: StageFrame; message: RegExp; state?: GenerationState }[] = [
    { id: 'a position too early', frame: sampled(9), message: /position 9 came, 10 is next/ },
    { id: 'a position skipped', frame: sampled(11), message: /position 11 came, 10 is next/ },
    { id: 'a token from the first stage', from: 0, frame: sampled(10), message: /not the last/ },
    { id: 'a token before the prompt', frame: sampled(10), message: /before the prompt/, state: fresh() },
    { id: 'scores that nobody asked for', frame: scores(1, 9), message: /out of turn/ },
    { id: 'scores from the first stage', from: 0, frame: scores(1, 9), message: /not the last/, state: open(true) },
    { id: 'scores that skip one', frame: scores(2, 8), message: /\[2,10\) came, 1 of 10/, state: open(true) },
    { id: 'scores beyond the prompt', frame: scores(1, 10), message: /\[1,11\) came/, state: open(true) },
    { id: 'no scores', frame: scores(1, 0), message: /\[1,1\) came/, state: open(true) },
    { id: 'a token before the scores', frame: sampled(10), message: /before the prompt was scored/, state: open(true) },
    { id: 'a later epoch', frame: sampled(10, 'continues', { epoch: 2 }), message: /epoch 2/ },
    { id: 'another session', frame: sampled(10, 'continues', { session: other }), message: /another session/ },
    { id: 'opening twice', frame: opened, message: /opened twice/ },
    { id: 'an end token that is none', frame: sampled(10, 'end_token'), message: /is no end token/ },
    { id: 'the limit too early', frame: sampled(10, 'tokens_max'), message: /token 1 of 3/ },
    {
      id: 'a frame for stages',
      frame: { type: 'next', session, epoch: 1, position: 10, token: 1 },
      message: /may not send "next"/
    }
  ]
  for (const { id, from = 1, frame, message, state = open() } of cases) {
    t.throws(() => state.admit(from, frame), { code: 'protocol_violation', message }, id)
  }
})

t.test('a route that takes the place of another runs what stands, and goes on behind it', async t => {
  const state = resumed()
  const here = { epoch: 2 }
  t.equal(state.admit(1, sampled(12)), undefined, 'a frame of the route before is dropped')
  t.same(state.tokens, [5, 6])
  t.match(state.admit(1, replayed(11, { exact: false })), { type: 'replayed', replayed: { exact: false } })
  t.match(state.admit(1, sampled(12, 'continues', here)), { type: 'token' })
  state.admit(1, sampled(13, 'tokens_max', here))
  t.same(state.tokens, [5, 6, 5, 5])
  t.equal(state.phase, 'ended', 'those that stand count')
})

t.test('and says nothing else', async t => {
  const here = { epoch: 2 }
  const cases: [name: string, from: number, frame: StageFrame, message: RegExp, state?: GenerationState][] = [
    ['a token that stands', 1, sampled(10, 'continues', here), /before those that stand had run/],
    ['a token before they have run', 1, sampled(12, 'continues', here), /before those that stand had run/],
    ['another place to go on from', 1, replayed(12), /from position 12, it stood at 11/],
    ['the first stage', 0, replayed(11), /not the last went on/],
    ['a later route', 1, replayed(11, { epoch: 3 }), /epoch 3/],
    ['an answer that begins', 1, replayed(11, { epoch: 1 }), /stood nowhere/, open()],
    ['scores, which came before', 1, { ...scores(1, 9), epoch: 2 } as StageFrame, /out of turn/, resumed(true)]
  ]
  for (const [name, from, frame, message, state = resumed()] of cases) {
    t.throws(() => state.admit(from, frame), { code: 'protocol_violation', message }, name)
  }
  const twice = resumed()
  twice.admit(1, replayed(11))
  t.throws(() => twice.admit(1, replayed(11)), { message: /stood nowhere/ })
})

t.test('a fault is its own error, even of no session', async t => {
  const error = new MeshError('engine_failed', 'out of memory')
  const fault: StageFrame = { type: 'fault', session: new Uint8Array(16), epoch: 0, error }
  t.throws(() => open().admit(0, fault), { code: 'engine_failed' })
})

t.test('what a peer says of tokens is what was asked for, and of this model', async t => {
  const top = [
    { token: 5, logprob: -1 },
    { token: 6, logprob: Number.NEGATIVE_INFINITY }
  ]
  const asked: [name: string, said: Partial<Sampled>, message: RegExp | undefined][] = [
    ['as asked', { top }, undefined],
    ['no such token', { top, token: 100 }, /token 100 came.*end at 99/],
    ['a logprob that is none', { top, logprob: Number.NaN }, /NaN/],
    ['a logprob of what was ruled out', { top, logprob: Number.NEGATIVE_INFINITY }, /-Infinity/],
    ['too few alternatives', { top: top.slice(1) }, /1 alternatives came.*2 were/],
    ['too many', { top: [...top, { token: 7, logprob: -9 }] }, /3 alternatives/],
    ['one twice', { top: [top[0], top[0]] as Sampled['top'] }, /twice/],
    ['one that there is not', { top: [...top.slice(1), { token: 4_000_000_000, logprob: -1 }] }, /4000000000/],
    ['one that is no number', { top: [...top.slice(1), { token: 5, logprob: Number.NaN }] }, /NaN/],
    ['one beyond certain', { top: [...top.slice(1), { token: 5, logprob: Number.POSITIVE_INFINITY }] }, /Infinity/],
    ['an end token that goes on', { top, token: 9 }, /did not end it/]
  ]
  for (const [name, said, message] of asked) {
    const admit = () => open(false, 2).admit(1, sampled(10, 'continues', said))
    if (message === undefined) t.match(admit(), { type: 'token' }, name)
    else t.throws(admit, { code: 'protocol_violation', message }, name)
  }
  t.throws(() => open().admit(1, sampled(10, 'continues', { top })), { message: /0 were asked for/ })
  const scored = { type: 'scores' as const, session, epoch: 1, position: 1 }
  const bad = { ...scored, scores: [{ logprob: Number.POSITIVE_INFINITY, top: [] }] }
  t.throws(() => open(true).admit(1, bad), { code: 'protocol_violation', message: /Infinity/ })
})
