import type { WorkClass } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { type NextRun, nextRun, type QueueState } from '../src/next-run.ts'
import { batchOwedAt } from '../src/turns.ts'

const NEVER = Number.NEGATIVE_INFINITY
const none = { steps: 0, alone: 0 }
const state: QueueState = {
  nowMs: 100,
  waiting: { interactive: { steps: 2, alone: 1 }, batch: none },
  yieldUntilMs: 0,
  batchOwedAtMs: 200,
  steppedLast: true,
  companyUntilMs: NEVER
}

t.test('what runs next', async t => {
  const both = { interactive: { steps: 2, alone: 1 }, batch: { steps: 3, alone: 1 } }
  const cases: { id: string; state: QueueState; run: NextRun }[] = [
    { id: 'a chunk after steps', state, run: { alone: 'interactive' } },
    { id: 'steps after a chunk', state: { ...state, steppedLast: false }, run: { steps: ['interactive'] } },
    {
      id: 'steps where there is no chunk',
      state: { ...state, waiting: { interactive: { steps: 2, alone: 0 }, batch: none } },
      run: { steps: ['interactive'] }
    },
    {
      id: 'steps wait for company',
      state: { ...state, steppedLast: false, companyUntilMs: 100.1 },
      run: 'company'
    },
    {
      id: 'no longer than is said',
      state: { ...state, steppedLast: false, companyUntilMs: 100 },
      run: { steps: ['interactive'] }
    },
    {
      id: 'a chunk does not wait for company',
      state: { ...state, companyUntilMs: 101 },
      run: { alone: 'interactive' }
    },
    {
      id: 'batch steps that are not owed wait',
      state: { ...state, waiting: both, steppedLast: false },
      run: { steps: ['interactive'] }
    },
    {
      id: 'batch steps that are owed take interactive ones along',
      state: { ...state, waiting: { ...both, batch: { steps: 3, alone: 0 } }, batchOwedAtMs: 100 },
      run: { steps: ['interactive', 'batch'] }
    },
    {
      id: 'a batch chunk that is owed comes after steps',
      state: { ...state, waiting: { ...both, batch: { steps: 0, alone: 1 } }, batchOwedAtMs: 100, steppedLast: false },
      run: { steps: ['interactive'] }
    },
    {
      id: 'and before a chunk',
      state: { ...state, waiting: { ...both, batch: { steps: 0, alone: 1 } }, batchOwedAtMs: 100 },
      run: { alone: 'batch' }
    },
    {
      id: 'batch work alone waits while answers are made elsewhere',
      state: { ...state, waiting: { interactive: none, batch: { steps: 1, alone: 0 } }, yieldUntilMs: 150 },
      run: { waitMs: 50 }
    },
    { id: 'nothing waits', state: { ...state, waiting: { interactive: none, batch: none } }, run: undefined }
  ]
  for (const { id, state, run } of cases) t.same(nextRun(state), run, id)
})

interface Arrival {
  readonly atMs: number
  readonly runMs: number
  readonly workClass: WorkClass
  readonly kind: 'steps' | 'alone'
}

/** A run of some arrivals, from when to when. */
interface Served {
  readonly arrivals: readonly Arrival[]
  readonly kind: Arrival['kind']
  readonly batch: boolean
  readonly startMs: number
  readonly endMs: number
}

type Waiting = Record<WorkClass, Record<Arrival['kind'], Arrival[]>>

/** Serves arrivals by {@link nextRun} in time that is made up; a run of steps takes as long as the longest of them. */
function serve(all: readonly Arrival[]): Served[] {
  const coming = all.toSorted((a, b) => a.atMs - b.atMs)
  const waiting: Waiting = { interactive: { steps: [], alone: [] }, batch: { steps: [], alone: [] } }
  const served: Served[] = []
  let [nowMs, batchSinceMs, batchRunMs, steppedLast] = [0, 0, 50, false]
  const count = (workClass: WorkClass) => ({
    steps: waiting[workClass].steps.length,
    alone: waiting[workClass].alone.length
  })
  for (;;) {
    for (let next = coming[0]; next !== undefined && next.atMs <= nowMs; next = coming[0]) {
      if (next.workClass === 'batch' && count('batch').steps + count('batch').alone === 0) batchSinceMs = nowMs
      waiting[next.workClass][next.kind].push(next)
      coming.shift()
    }
    const run = nextRun({
      nowMs,
      waiting: { interactive: count('interactive'), batch: count('batch') },
      yieldUntilMs: 0,
      batchOwedAtMs: batchOwedAt(batchSinceMs, batchRunMs, 'answering'),
      steppedLast,
      companyUntilMs: NEVER
    })
    if (run === undefined) {
      if (coming[0] === undefined) return served
      nowMs = coming[0].atMs
      continue
    }
    if (run === 'company' || 'waitMs' in run) throw new Error('nothing is waited for here')
    const arrivals =
      'alone' in run
        ? waiting[run.alone].alone.splice(0, 1)
        : run.steps.flatMap(workClass => waiting[workClass].steps.splice(0))
    steppedLast = 'steps' in run
    const runMs = Math.max(...arrivals.map(arrival => arrival.runMs))
    const batch = arrivals.some(arrival => arrival.workClass === 'batch')
    served.push({ arrivals, kind: steppedLast ? 'steps' : 'alone', batch, startMs: nowMs, endMs: nowMs + runMs })
    nowMs += runMs
    if (batch) [batchSinceMs, batchRunMs] = [nowMs, runMs]
  }
}

const LONGEST_MS = 40

const arrivals = fc.array(
  fc.record({
    atMs: fc.nat(2000),
    runMs: fc.integer({ min: 1, max: LONGEST_MS }),
    workClass: fc.constantFrom<WorkClass>('interactive', 'batch'),
    kind: fc.constantFrom<Arrival['kind']>('steps', 'alone')
  }),
  { maxLength: 120 }
)

t.test('an interactive step waits for one chunk at the most, whatever else there is', async () => {
  const holds = fc.property(arrivals, all => {
    const served = serve(all)
    return served.every(({ arrivals, kind, startMs }) => {
      if (kind !== 'steps') return true
      return arrivals.every(({ workClass, atMs }) => {
        const chunks = served.filter(run => run.kind === 'alone' && run.endMs > atMs && run.startMs < startMs)
        return workClass === 'batch' || chunks.length <= 1
      })
    })
  })
  assertProperty(holds, { numRuns: 300 })
})

t.test(
  'everything is served once, each kind in its order, and interactive chunks wait no longer for batch work than it is owed',
  async () => {
    const holds = fc.property(arrivals, all => {
      const served = serve(all)
      const order = served.flatMap(run => run.arrivals)
      const inOrder = (['interactive', 'batch'] as const).every(workClass =>
        (['steps', 'alone'] as const).every(kind => {
          const ats = order.filter(run => run.workClass === workClass && run.kind === kind).map(run => run.atMs)
          return ats.every((atMs, index) => index === 0 || atMs >= (ats[index - 1] ?? 0))
        })
      )
      const first = served.every(({ arrivals, startMs }) =>
        arrivals.every(({ workClass, atMs }) => {
          if (workClass === 'batch') return true
          const meanwhile = served.filter(run => run.batch && run.endMs > atMs && run.startMs < startMs)
          const batchMs = meanwhile.reduce((sum, run) => sum + run.endMs - run.startMs, 0)
          return batchMs <= (startMs - atMs) / 8 + 2 * LONGEST_MS + 1
        })
      )
      return new Set(order).size === all.length && order.length === all.length && inOrder && first
    })
    assertProperty(holds, { numRuns: 300 })
  }
)
