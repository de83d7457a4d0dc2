import { type ErrorCode, MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import type { PromptScores, Replayed, Sampled } from '@resultity/wire'
import fc from 'fast-check'
import t from 'tap'
import { EPOCHS_MAX, HANDOVERS_MAX, RecoveryState, ROUTES_MAX } from '../src/recovery-state.ts'

const session = new Uint8Array(16)
const PROMPT = 10

function sampled(token: number): Sampled {
  return { type: 'sampled', session, epoch: 1, position: PROMPT, token, finish: 'continues', logprob: 0, top: [] }
}

function scores(position: number, values: readonly number[]): PromptScores {
  return { type: 'scores', session, epoch: 1, position, scores: values.map(logprob => ({ logprob, top: [] })) }
}

function replayed(exact: boolean): Replayed {
  return { type: 'replayed', session, epoch: 1, position: PROMPT, exact }
}

/** Of a node, unless it is somebody's who names none. */
function loss(code: ErrorCode = 'node_lost', peerId: string | undefined = 'a'): MeshError {
  return new MeshError(code, 'it went', { details: { peerId } })
}

const unnamed = new MeshError('node_lost', 'no token came')
const link = new MeshError('node_lost', 'nothing passes', { details: { link: ['a', 'b'] } })
const linkAgain = new MeshError('node_lost', 'it broke', { details: { link: ['a', 'b'], again: true } })

function serving(): RecoveryState {
  const state = new RecoveryState({ attemptsMax: 3 })
  state.opened()
  return state
}

t.test('an answer begins, loses its route, goes on and says so', async t => {
  const state = serving()
  t.same([state.phase, state.epoch, state.reroutes], ['serving', 1, { count: 0, exact: true }])
  t.equal(state.take(sampled(5))?.type, 'sampled')
  t.same(state.lost(loss()), { type: 'reopen', epoch: 2, awaitsBreak: true })
  t.same([state.phase, state.epoch, state.committed], ['recovering', 2, [5]])
  t.same(state.lost(loss()), { type: 'reopen', epoch: 3, awaitsBreak: true }, 'the next did not even open')
  state.opened()
  t.equal(state.take(replayed(true)), undefined, 'this is nothing to a client')
  t.equal(state.take(sampled(6))?.type, 'sampled')
  t.same([state.phase, state.committed, state.reroutes], ['serving', [5, 6], { count: 1, exact: true }])
})

t.test('a route of nodes that compute otherwise makes it inexact, whatever its replay says', async t => {
  const state = new RecoveryState({ attemptsMax: 3 })
  state.lost(loss())
  state.opened(false)
  t.same(state.reroutes, { count: 0, exact: true }, 'nothing had been said yet')
  for (const alike of [true, false, true]) {
    state.lost(loss())
    state.opened(alike)
    state.take(replayed(true))
  }
  t.same(state.reroutes, { count: 3, exact: false })
})

t.test('one replay that came out otherwise is enough', async t => {
  const state = serving()
  for (const exact of [true, false, true]) {
    state.lost(loss())
    state.opened()
    state.take(replayed(exact))
  }
  t.same(state.reroutes, { count: 3, exact: false })
})

t.test('what is tried again, and whether the placement is waited for', async t => {
  const table: [error: MeshError, step: 'reopen' | 'give_up', awaitsBreak?: boolean][] = [
    [loss('node_lost'), 'reopen', true],
    [loss('peer_unreachable'), 'reopen', true],
    [loss('unavailable'), 'reopen', true],
    [loss('deadline_exceeded'), 'reopen', false],
    [loss('session_unknown'), 'reopen', true],
    [loss('engine_failed'), 'reopen', false],
    [unnamed, 'reopen', false],
    [link, 'reopen', true],
    [linkAgain, 'reopen', false],
    [loss('protocol_violation'), 'give_up'],
    [loss('invalid_request'), 'give_up'],
    [loss('canceled'), 'give_up']
  ]
  for (const [error, type, awaitsBreak] of table) {
    const step = serving().lost(error)
    t.match(step, type === 'reopen' ? { type, awaitsBreak } : { type, error }, `${error.code}: ${type}`)
  }
})

t.test('a stage whose slots are all taken is asked again, without counting that as a route', async t => {
  const state = new RecoveryState({ attemptsMax: 3 })
  for (let time = 2; time < 100; time++) {
    const step = state.lost(loss('resource_exhausted'))
    if (step.type !== 'reopen' || step.awaitsSlot !== true) t.fail(`time ${time}`)
  }
  t.match(state.lost(loss()), { type: 'reopen' })
  t.match(state.lost(loss()), { type: 'reopen' })
  t.match(state.lost(loss()), { type: 'give_up' }, 'the rest is as ever')
  t.notMatch(serving().lost(loss('resource_exhausted')), { awaitsSlot: true }, 'a coordinator that reads too slowly')
})

t.test('nodes that leave as they were asked to are no losses, and come to an end as well', async t => {
  const state = serving()
  for (let handover = 1; handover <= HANDOVERS_MAX; handover++) {
    if (state.lost(loss('node_draining')).type !== 'reopen') t.fail(`handover ${handover}`)
    state.opened()
  }
  t.equal(state.reroutes.count, HANDOVERS_MAX)
  for (let route = 2; route <= EPOCHS_MAX; route++) t.match(state.lost(loss()), { type: 'reopen' })
  t.match(state.lost(loss()), { type: 'give_up' }, 'losses are counted as ever')
  const flapping = serving()
  let routes = 0
  while (routes < 1000 && flapping.lost(loss('node_draining')).type === 'reopen') routes++
  t.ok(routes < HANDOVERS_MAX + EPOCHS_MAX)
})

t.test('handovers and full stages between losses are no routes, and do not begin their count anew', async t => {
  const state = serving()
  for (let route = 2; route <= EPOCHS_MAX; route++) {
    t.match(state.lost(loss('node_draining')), { type: 'reopen' })
    t.match(state.lost(loss('resource_exhausted')), { type: 'reopen', awaitsSlot: true })
    t.match(state.lost(loss()), { type: 'reopen' })
    state.opened()
  }
  t.match(state.lost(loss('node_draining')), { type: 'reopen' })
  t.match(state.lost(loss('resource_exhausted')), { type: 'reopen', awaitsSlot: true })
  t.match(state.lost(loss()), { type: 'give_up' })
  t.equal(state.reroutes.count, EPOCHS_MAX - 1, 'only such as opened')
})

t.test('what names no node, or is an engine that broke off, is tried once more and no oftener', async t => {
  for (const first of [loss('engine_failed'), unnamed]) {
    for (const second of [loss('engine_failed'), unnamed]) {
      const state = serving()
      t.match(state.lost(first), { type: 'reopen' })
      state.opened()
      t.same(state.lost(second), { type: 'give_up', error: second })
      t.equal(state.phase, 'failed')
    }
  }
})

t.test('there is an end to routes: sooner as long as none has opened', async t => {
  const begun = serving()
  const error = loss()
  for (let epoch = 2; epoch <= EPOCHS_MAX; epoch++) t.match(begun.lost(error), { type: 'reopen', epoch })
  t.same(begun.lost(error), { type: 'give_up', error })
  const opening = new RecoveryState({ attemptsMax: 3 })
  for (let epoch = 2; epoch <= 3; epoch++) t.match(opening.lost(error), { type: 'reopen', epoch })
  t.same(opening.lost(error), { type: 'give_up', error })
  opening.opened()
  t.equal(opening.phase, 'failed', 'for good')
  const released = new RecoveryState({ attemptsMax: 1 })
  t.match(
    released.lost(loss('session_forbidden')),
    { error: { code: 'unavailable', retryable: true } },
    'no fault of it'
  )
  const links = new RecoveryState({ attemptsMax: 3 })
  for (let epoch = 2; epoch <= EPOCHS_MAX; epoch++)
    t.match(links.lost(link), { type: 'reopen', epoch }, 'a link is no node')
  t.same(links.lost(link), { type: 'give_up', error: link })
})

t.test('routes that bring new tokens do not count towards it, up to an end of all', async t => {
  const state = serving()
  const error = loss()
  for (let epoch = 2; epoch <= ROUTES_MAX; epoch++) {
    state.take(sampled(epoch))
    t.match(state.lost(error), { type: 'reopen', epoch })
    state.opened()
  }
  state.take(sampled(1))
  t.same(state.lost(error), { type: 'give_up', error })
  const stuck = serving()
  stuck.lost(error)
  stuck.lost(error)
  stuck.opened()
  stuck.take(sampled(1))
  for (let route = 1; route < EPOCHS_MAX; route++) t.match(stuck.lost(error), { type: 'reopen' })
  t.match(stuck.lost(error), { type: 'give_up' }, 'so many in a row')
})

t.test('a score that was told is not told again, however they are portioned', async t => {
  const state = serving()
  t.same(state.take(scores(1, [-1, -2, -3])), scores(1, [-1, -2, -3]))
  state.lost(loss())
  state.opened()
  t.equal(state.take(scores(1, [-1, -2])), undefined)
  t.same(state.take(scores(3, [-3, -4])), scores(4, [-4]))
  t.same(state.take(scores(5, [-5])), scores(5, [-5]))
})

t.test('whatever happens to its routes, a client is told an answer once and in order', async () => {
  const code = fc.constantFrom<ErrorCode>('node_lost', 'unavailable', 'deadline_exceeded', 'engine_failed', 'internal')
  const route = fc.record({ opens: fc.boolean(), says: fc.nat(12), portion: fc.integer({ min: 1, max: 4 }), code })
  const answer = fc.record({ scored: fc.nat(6), tokens: fc.array(fc.nat(99), { maxLength: 8 }) })
  await assertProperty(
    fc.property(answer, fc.array(route, { maxLength: 8 }), ({ scored, tokens }, routes) => {
      const state = new RecoveryState({ attemptsMax: 3 })
      const prompt = Array.from({ length: scored }, (_, index) => -index)
      const told: number[] = []
      let tried = 0
      for (const { opens, says, portion, code } of routes) {
        tried++
        if (state.epoch !== tried) return false
        if (opens) {
          state.opened()
          for (const result of said(prompt, tokens, state.committed, portion).slice(0, says)) {
            const taken = state.take(result)
            if (taken?.type === 'sampled') told.push(taken.token)
            if (taken?.type === 'scores') told.push(...taken.scores.map(({ logprob }) => logprob))
          }
        }
        if (state.lost(loss(code)).type === 'give_up') break
      }
      const whole = [...prompt, ...tokens]
      return tried <= ROUTES_MAX && told.every((value, index) => value === whole[index])
    })
  )
})

/** All that a route says which takes the place of another. */
function said(
  prompt: readonly number[],
  tokens: readonly number[],
  committed: readonly number[],
  portion: number
): (PromptScores | Replayed | Sampled)[] {
  const before: (PromptScores | Replayed)[] = committed.length > 0 ? [replayed(true)] : []
  for (let at = 0; at < prompt.length && committed.length === 0; at += portion) {
    before.push(scores(1 + at, prompt.slice(at, at + portion)))
  }
  return [...before, ...tokens.slice(committed.length).map(sampled)]
}

t.test('stages keep what they have after a loss, and nothing where that did not do', async t => {
  const odd = new MeshError('protocol_violation', 'position 7 came, 9 is next', { details: { peerId: 'b' } })
  const state = serving()
  t.equal(state.keeps, false, 'there is nothing yet')
  state.take(sampled(5))
  state.lost(loss())
  t.equal(state.keeps, true)
  state.lost(new MeshError('resource_exhausted', 'it is full'))
  t.equal(state.keeps, true, 'a wait for a slot changes nothing')
  state.opened()
  state.lost(loss('node_lost', 'b'))
  t.equal(state.keeps, true, 'the next node is lost on the way')
  state.opened()
  t.match(state.lost(odd), { type: 'reopen' }, 'a stage that lied, or lost what it had')
  t.equal(state.keeps, false)
  state.opened()
  t.match(state.lost(odd), { type: 'give_up' }, 'without it, that is no excuse')

  const stuck = serving()
  stuck.take(sampled(5))
  stuck.lost(loss())
  stuck.opened()
  t.match(stuck.lost(unnamed), { type: 'reopen' }, 'nothing comes')
  t.equal(stuck.keeps, false)
  stuck.opened()
  t.match(stuck.lost(unnamed), { type: 'reopen' }, 'it has its one more try as ever')

  const proven = serving()
  proven.take(sampled(5))
  proven.lost(loss())
  proven.opened()
  proven.take(replayed(true))
  t.match(proven.lost(odd), { type: 'give_up' }, 'what it had did well')
})
