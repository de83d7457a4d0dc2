import { batchPlaces, MeshError } from '@resultity/interface'
import type { Job, JobOutcome } from '@resultity/store'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { type AbortCause, outcomeOf, pauseBeforeNext } from '../src/job-outcome.ts'
import { batchClaims, interactiveClaims, type LaneState, lanesToYield } from '../src/job-queue.ts'

const idle: LaneState = {
  lane: 'model:a',
  places: 4,
  running: { interactive: 0, batch: 0 },
  yielding: 0,
  waiting: { interactive: true, batch: true }
}

t.test('who waits for an answer goes first, and batch work keeps a place free', async t => {
  const cases: { id: string; lane: Partial<LaneState>; interactive: number; batch: number }[] = [
    { id: 'both wait: only the interactive are begun', lane: {}, interactive: 4, batch: 0 },
    {
      id: 'nobody waits for an answer',
      lane: { waiting: { interactive: false, batch: true } },
      interactive: 0,
      batch: 3
    },
    {
      id: 'batch has what it may',
      lane: { running: { interactive: 0, batch: 3 }, waiting: { interactive: false, batch: true } },
      interactive: 0,
      batch: 0
    },
    {
      id: 'the kept place is for who comes',
      lane: { running: { interactive: 0, batch: 3 } },
      interactive: 1,
      batch: 0
    },
    {
      id: 'interactive work leaves little',
      lane: { running: { interactive: 3, batch: 0 }, waiting: { interactive: false, batch: true } },
      interactive: 0,
      batch: 1
    },
    {
      id: 'a place stays free beside who was begun',
      lane: { running: { interactive: 1, batch: 2 }, waiting: { interactive: false, batch: true } },
      interactive: 0,
      batch: 0
    },
    { id: 'nothing serves the lane', lane: { places: 0 }, interactive: 0, batch: 0 },
    {
      id: 'fewer places than jobs run, since a node left',
      lane: { places: 1, running: { interactive: 2, batch: 0 } },
      interactive: 0,
      batch: 0
    },
    { id: 'nobody waits', lane: { waiting: { interactive: false, batch: false } }, interactive: 0, batch: 0 }
  ]
  for (const { id, lane, interactive, batch } of cases) {
    const lanes = [{ ...idle, ...lane }]
    const count = (claimRequests: readonly { count: number }[]) =>
      claimRequests.reduce((sum, claimRequest) => sum + claimRequest.count, 0)
    t.equal(count(interactiveClaims(lanes)), interactive, id)
    t.equal(count(batchClaims(lanes)), batch, id)
  }
  t.same([0, 1, 2, 4, 8, 100].map(batchPlaces), [0, 1, 1, 3, 6, 75])
})

t.test('a batch job makes room where somebody waits and there is no place', async t => {
  const waits = { interactive: true, batch: true }
  const cases: { id: string; lane: Partial<LaneState>; yields: boolean }[] = [
    { id: 'all places taken', lane: { running: { interactive: 1, batch: 3 } }, yields: true },
    { id: 'one is free', lane: { running: { interactive: 0, batch: 3 } }, yields: false },
    { id: 'one is about to be', lane: { running: { interactive: 1, batch: 3 }, yielding: 1 }, yields: false },
    { id: 'interactive jobs have them all', lane: { running: { interactive: 4, batch: 0 } }, yields: false },
    {
      id: 'nobody waits for an answer',
      lane: { running: { interactive: 1, batch: 3 }, waiting: { interactive: false, batch: true } },
      yields: false
    },
    { id: 'nothing serves the lane', lane: { places: 0, running: { interactive: 0, batch: 1 } }, yields: false }
  ]
  for (const { id, lane, yields } of cases) {
    t.same(lanesToYield([{ ...idle, waiting: waits, ...lane }]), yields ? ['model:a'] : [], id)
  }
})

t.test('whatever the lane is like, its places are kept and none is left idle for ever', async () => {
  const count = fc.nat(12)
  const state = fc.record({
    lane: fc.constant('a'),
    places: count,
    running: fc.record({ interactive: count, batch: count }),
    yielding: fc.constant(0),
    waiting: fc.record({ interactive: fc.boolean(), batch: fc.boolean() })
  })
  assertProperty(
    fc.property(state, lane => {
      const { places, running, waiting } = lane
      const left = places - running.interactive - running.batch
      const interactive = interactiveClaims([lane])[0]?.count ?? 0
      const batch = batchClaims([lane])[0]?.count ?? 0
      const yields = lanesToYield([lane]).length > 0
      // who waits gets every place that is left, or one that a batch job makes, unless others who waited have them all
      if (waiting.interactive && places > 0 && interactive === 0 && !yields) return running.batch === 0 && batch === 0
      if (interactive > 0) return interactive === left && batch === 0 && !yields
      if (yields) return batch === 0 && left <= 0
      if (batch > 0) return batch <= left && running.batch + batch <= batchPlaces(places)
      // batch work that waits finds something at work, or no place
      return !waiting.batch || waiting.interactive || left <= 0 || running.batch > 0
    })
  )
})

t.test('what becomes of a job whose attempt failed', async t => {
  const lost = new MeshError('node_lost', 'a node died')
  const wrong = new MeshError('engine_failed', 'the engine broke')
  const job = { attempts: 2, interruptions: 1, attemptsMax: 2 } as Job
  const outcome = (error: MeshError, attempts: number, detached: boolean, cause?: AbortCause) =>
    outcomeOf(error, { ...job, attempts }, { detached, cause })
  t.match(outcome(lost, 2, true), { state: 'queued', interrupted: false }, 'an interruption used up no attempt')
  t.match(outcome(lost, 3, true), { state: 'failed', error: { code: 'node_lost' } }, 'attempts end')
  t.match(outcome(lost, 2, false), { state: 'failed' }, 'who waits decides alone whether to ask again')
  t.match(outcome(wrong, 2, true), { state: 'failed', error: { code: 'engine_failed' } }, 'it would fail again')
  t.match(outcome(lost, 9, true, 'stopping'), { state: 'queued', interrupted: true })
  t.match(outcome(lost, 1, false, 'stopping'), { state: 'failed' })
  t.match(outcome(lost, 9, true, 'yielded'), { state: 'queued', interrupted: true }, 'making room costs no attempt')
  t.match(outcome(lost, 1, true, 'cancelled'), { state: 'cancelled' })
})

t.test('pauses grow with the failures, interruptions not counted, and no other end has one', async t => {
  const pause = (outcome: JobOutcome, attempts: number) =>
    pauseBeforeNext(outcome, { attempts, interruptions: 2 } as Job, 1000)
  const failed: JobOutcome = { state: 'queued', interrupted: false }
  t.same(
    [3, 4, 5, 6, 60].map(attempts => pause(failed, attempts)),
    [1000, 4000, 16_000, 60_000, 60_000]
  )
  t.equal(pause({ state: 'queued', interrupted: true }, 3), 0)
  t.equal(pause({ state: 'cancelled' }, 3), 0)
})
