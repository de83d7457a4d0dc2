import assert from 'node:assert/strict'
import { placeable } from '@resultity/test-nodes'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { AnswerProgress, answerDigest } from '../src/progress/answer-progress.ts'
import { earlierAnswer, type ToldToken } from '../src/progress/earlier-answer.ts'

const MODEL = placeable(2).manifestSha256
const OF = answerDigest(MODEL, [1, 2, 3])
const NEVER = { count: 0, exact: true }
const range = { first: 0, end: 2 }
const BEGINNING = {
  prefillChunk: 8,
  route: { placementId: 'p', stages: [{ peerId: 'a', range }] },
  kernels: { stages: [{ peerId: 'a', range, kernels: 'x', report: { selfTestSha256: 't' } }] }
}

function said(token: number, more: Partial<ToldToken> = {}): ToldToken {
  return { type: 'sampled', token, finish: 'continues', logprob: 0, top: [], ...more }
}

/** One attempt after those that wrote `entries`. */
function attempt(entries: readonly unknown[] = [], bytesMax = 1 << 20, index = 0): AnswerProgress {
  return new AnswerProgress({ index, entries, bytesMax })
}

/** As a store gives it back. */
function stored(entry: unknown): unknown {
  return JSON.parse(JSON.stringify(entry))
}

t.test('what was kept is what was told, however often it was written and interrupted', async t => {
  const logprob = fc.double({ max: -1e-9, noNaN: true })
  const top = fc.array(fc.record({ token: fc.nat(999), logprob }, { noNullPrototype: true }), { maxLength: 3 })
  const token = fc.record({ token: fc.nat(999), logprob, top })
  const step = fc.oneof({ weight: 8, arbitrary: token }, fc.constantFrom('write', 'crash'))
  await assertProperty(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async steps => {
      const entries: unknown[] = []
      let told: ToldToken[] = []
      let kept: ToldToken[] = []
      let progress = attempt()
      let begun = progress.start(OF) !== undefined
      for (const one of steps) {
        if (one === 'write') {
          const entry = progress.take()
          if (entry !== undefined) entries.push(stored(entry))
          kept = [...told]
        } else if (one === 'crash') {
          progress = attempt(entries)
          const earlier = progress.start(OF)
          told = [...kept]
          begun = earlier !== undefined
          assert.deepEqual(earlier?.tokens ?? [], kept)
        } else {
          if (!begun) progress.begin(BEGINNING)
          begun = true
          told.push(said(one.token, one))
          progress.add(said(one.token, one), NEVER)
        }
      }
    })
  )
  t.end()
})

t.test('with its beginning, its scores, its end and its reroutes', t => {
  const first = attempt()
  t.equal(first.start(OF), undefined)
  const score = { logprob: -1.5, top: [{ token: 1, logprob: Number.NEGATIVE_INFINITY }] }
  first.add({ type: 'scores', position: 1, scores: [score] }, NEVER)
  const scores = stored(first.take())
  t.equal(earlierAnswer([scores], 0), undefined, 'scores alone are nothing to go on from')
  first.add({ type: 'scores', position: 2, scores: [score] }, NEVER)
  first.begin(BEGINNING)
  first.add(said(7), NEVER)
  first.add(said(8, { finish: 'end_token' }), { count: 1, exact: false })
  const entries = [scores, stored(first.take())]
  t.equal(first.take(), undefined)
  const second = attempt(entries)
  t.strictSame(second.start(OF), {
    of: OF,
    ...BEGINNING,
    scores: { type: 'scores', position: 1, scores: [score, score] },
    tokens: [said(7), said(8, { finish: 'end_token' })],
    reroutes: { count: 1, exact: false }
  })
  t.equal(earlierAnswer(entries, 1), undefined, 'another choice has its own')
  t.end()
})

t.test('an answer to something else begins anew, and takes the place of what was kept', t => {
  const first = attempt()
  first.start(OF)
  first.begin(BEGINNING)
  for (const token of [1, 2, 3]) first.add(said(token), NEVER)
  const entries = [stored(first.take())]
  for (const other of [answerDigest(MODEL, [1, 2]), answerDigest('0'.repeat(64), [1, 2, 3])]) {
    const second = attempt(entries)
    t.equal(second.start(other), undefined)
    second.begin({ ...BEGINNING, prefillChunk: 16 })
    second.add(said(9), NEVER)
    const third = attempt([...entries, stored(second.take())])
    t.match(third.start(other), { prefillChunk: 16, tokens: [{ token: 9 }] })
  }
  t.end()
})

t.test('what is no good is not gone on from', t => {
  const first = attempt()
  first.start(OF)
  first.begin(BEGINNING)
  first.add(said(1), NEVER)
  const entries = [stored(first.take())]
  first.add(said(2), NEVER)
  first.discard()
  first.add(said(3), NEVER)
  entries.push(stored(first.take()))
  t.equal(first.take(), undefined)
  t.equal(earlierAnswer(entries, 0), undefined)
  const second = attempt(entries)
  t.equal(second.start(OF), undefined)
  second.begin(BEGINNING)
  second.add(said(4), NEVER)
  t.match(earlierAnswer([...entries, stored(second.take())], 0)?.tokens, [{ token: 4 }])
  t.end()
})

t.test('it is bounded, and what is kept has no gap', t => {
  const first = attempt([], 100)
  first.start(OF)
  first.begin(BEGINNING)
  for (let token = 0; token < 50; token++) first.add(said(token), NEVER)
  const entries = [stored(first.take())]
  const kept = earlierAnswer(entries, 0)?.tokens.map(({ token }) => token) ?? []
  t.ok(kept.length > 5 && kept.length < 20, `${kept.length} of 50 tokens`)
  t.strictSame(
    kept,
    kept.map((_, index) => index)
  )
  const second = attempt(entries, 100)
  second.start(OF)
  for (let token = 0; token < 50; token++) second.add(said(token), NEVER)
  t.notOk((second.take()?.tokens.length ?? 0) > 1, 'over all attempts')
  t.end()
})

t.test('what another version wrote, or nobody did, is not read', t => {
  const first = attempt()
  first.start(OF)
  first.begin(BEGINNING)
  first.add(said(1), NEVER)
  const entry = first.take()
  for (const other of [
    null,
    'x',
    7,
    {},
    { index: 0 },
    { index: 0, at: -1, tokens: [] },
    { index: 0, at: 0, tokens: 'x' }
  ]) {
    const isOurs = other !== null && typeof other === 'object' && 'index' in other
    t.equal(earlierAnswer([entry, other], 0) === undefined, isOurs, JSON.stringify(other))
  }
  t.match(earlierAnswer([entry, { index: 0, at: 5, tokens: [6] }], 0)?.tokens, [{ token: 1 }], 'nothing behind a gap')
  t.equal(earlierAnswer([{ index: 0, at: 0, tokens: [6] }], 0), undefined, 'nothing without a beginning')
  t.end()
})
