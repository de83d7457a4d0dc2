import { MeshError } from '@resultity/interface'
import type { Job } from '@resultity/store'
import t from 'tap'
import { toJobError } from '../src/http/error-reply.ts'
import { outcomeOf } from '../src/jobs/job-outcome.ts'
import { batchPlaces, batchWishes, interactiveWishes, type LaneState } from '../src/jobs/job-queue.ts'

const idle: LaneState = {
  lane: 'model:a',
  places: 4,
  running: { interactive: 0, batch: 0 },
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
    const count = (wishes: readonly { count: number }[]) => wishes.reduce((sum, wish) => sum + wish.count, 0)
    t.equal(count(interactiveWishes(lanes)), interactive, id)
    t.equal(count(batchWishes(lanes)), batch, id)
  }
  t.same([0, 1, 2, 4, 8, 100].map(batchPlaces), [0, 1, 1, 3, 6, 75])
})

t.test('what becomes of a job whose attempt failed', async t => {
  const lost = new MeshError('node_lost', 'a node died')
  const wrong = new MeshError('engine_failed', 'the engine broke')
  const job = { attempts: 2, interruptions: 1, attemptsMax: 2 } as Job
  const outcome = (error: MeshError, attempts: number, detached: boolean, cause?: 'cancelled' | 'stopping') =>
    outcomeOf(error, { ...job, attempts }, { detached, cause }, toJobError)
  t.match(outcome(lost, 2, true), { state: 'queued', interrupted: false }, 'an interruption used up no attempt')
  t.match(outcome(lost, 3, true), { state: 'failed', error: { code: 'node_lost', status: 503 } }, 'attempts end')
  t.match(outcome(lost, 2, false), { state: 'failed' }, 'who waits decides alone whether to ask again')
  t.match(outcome(wrong, 2, true), { state: 'failed', error: { code: 'engine_failed' } }, 'it would fail again')
  t.match(outcome(lost, 9, true, 'stopping'), { state: 'queued', interrupted: true })
  t.match(outcome(lost, 1, false, 'stopping'), { state: 'failed' })
  t.match(outcome(lost, 1, true, 'cancelled'), { state: 'cancelled' })
})
