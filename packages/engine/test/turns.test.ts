import type { WorkClass } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { BatchGate } from '../src/batch-gate.ts'
import { RunQueue } from '../src/run-queue.ts'
import { batchOwedAt, type InteractivePhase, nextTurn } from '../src/turns.ts'

const state = { nowMs: 100, waiting: { interactive: 1, batch: 1 }, yieldUntilMs: 0, batchOwedAtMs: 200 }

t.test('whose turn it is', async t => {
  const cases = [
    { id: 'both wait', state, turn: 'interactive' },
    { id: 'batch work is owed a run', state: { ...state, batchOwedAtMs: 100 }, turn: 'batch' },
    { id: 'only batch work waits', state: { ...state, waiting: { interactive: 0, batch: 1 } }, turn: 'batch' },
    {
      id: 'an answer is on its way to its first token',
      state: { ...state, waiting: { interactive: 0, batch: 1 }, yieldUntilMs: 150 },
      turn: { waitMs: 50 }
    },
    {
      id: 'interactive work is under way elsewhere in the engine, and nobody knows for how long',
      state: { ...state, waiting: { interactive: 0, batch: 1 }, yieldUntilMs: Number.POSITIVE_INFINITY },
      turn: { waitMs: 100 }
    },
    {
      id: 'nothing waits',
      state: { ...state, waiting: { interactive: 0, batch: 0 }, batchOwedAtMs: 0 },
      turn: undefined
    }
  ]
  for (const { id, state, turn } of cases) t.same(nextTurn(state), turn, id)
})

interface Arrival {
  readonly atMs: number
  readonly runMs: number
  readonly workClass: WorkClass
}

/** Serves arrivals by {@link nextTurn} in time that is made up. @returns what ran, from when to when */
function serve(arrivals: readonly Arrival[], phase: InteractivePhase) {
  const coming = arrivals.toSorted((a, b) => a.atMs - b.atMs)
  const waiting: Record<WorkClass, Arrival[]> = { interactive: [], batch: [] }
  const served: (Arrival & { readonly startMs: number })[] = []
  let [nowMs, batchSinceMs, batchRunMs] = [0, 0, 50]
  for (;;) {
    for (let next = coming[0]; next !== undefined && next.atMs <= nowMs; next = coming[0]) {
      if (next.workClass === 'batch' && waiting.batch.length === 0) batchSinceMs = nowMs
      waiting[next.workClass].push(next)
      coming.shift()
    }
    const turn = nextTurn({
      nowMs,
      waiting: { interactive: waiting.interactive.length, batch: waiting.batch.length },
      yieldUntilMs: 0,
      batchOwedAtMs: batchOwedAt(batchSinceMs, batchRunMs, phase)
    })
    if (turn === 'interactive' || turn === 'batch') {
      const run = waiting[turn].shift()
      if (run === undefined) throw new Error('a turn was given to nobody')
      served.push({ ...run, startMs: nowMs })
      nowMs += run.runMs
      if (turn === 'batch') [batchSinceMs, batchRunMs] = [nowMs, run.runMs]
    } else if (coming[0] === undefined) return served
    else nowMs = coming[0].atMs
  }
}

const arrivals = fc.array(
  fc.record({
    atMs: fc.nat(2000),
    runMs: fc.integer({ min: 1, max: 40 }),
    workClass: fc.constantFrom<WorkClass>('interactive', 'batch')
  }),
  { maxLength: 120 }
)

t.test('interactive work goes first, batch work has its share, and each class keeps its order', async () => {
  const longest = 40
  const holds = fc.property(arrivals, fc.constantFrom<InteractivePhase>('first-token', 'answering'), (all, phase) => {
    const shares = phase === 'first-token' ? 50 : 8
    const served = serve(all, phase)
    const batch = served.filter(run => run.workClass === 'batch')
    const inOrder = (['interactive', 'batch'] as const).every(workClass => {
      const ats = served.filter(run => run.workClass === workClass).map(run => run.atMs)
      return ats.every((atMs, index) => index === 0 || atMs >= (ats[index - 1] ?? 0))
    })
    // beside the run that is at work and one that is owed, batch work has its share of the time that somebody waits
    const first = served.every(({ workClass, atMs, startMs }) => {
      if (workClass === 'batch') return true
      const meanwhile = batch.filter(run => run.startMs + run.runMs > atMs && run.startMs < startMs)
      const batchMs = meanwhile.reduce((sum, run) => sum + run.runMs, 0)
      return batchMs <= (startMs - atMs) / shares + 2 * longest + 1
    })
    const shared = batch.every((run, index) => {
      const before = batch[index - 1]
      if (before === undefined || run.atMs > before.startMs + before.runMs) return true
      return run.startMs <= before.startMs + before.runMs * shares + longest
    })
    return served.length === all.length && inOrder && first && shared
  })
  assertProperty(holds, { numRuns: 300 })
})

/** Runs of a queue that end when the test says so, after ten milliseconds, by name in the order they began. */
function queueOf(gate: BatchGate, clock: { nowMs: number }) {
  const queue = new RunQueue(gate)
  const leave = (): void => {
    clock.nowMs += 10
    queue.leave()
  }
  const begun: string[] = []
  const enter = (name: string, workClass: WorkClass = 'interactive'): (() => void) => {
    const start = (): void => {
      begun.push(name)
    }
    queue.enter(start, workClass)
    return start
  }
  return { queue, begun, enter, leave }
}

t.test('a queue serves interactive runs first, and batch runs once nothing interactive is under way', async t => {
  const clock = { nowMs: 0 }
  const gate = new BatchGate(() => clock.nowMs)
  const { queue, begun, enter, leave } = queueOf(gate, clock)
  enter('b1', 'batch')
  enter('b2', 'batch')
  enter('i1')
  const i2 = enter('i2')
  enter('i3')
  t.ok(queue.withdraw(i2))
  t.notOk(queue.withdraw(i2))
  for (let run = 0; run < 4; run++) leave()
  t.same(begun, ['b1', 'i1', 'i3', 'b2'])
  await queue.idle()
})

t.test('batch runs wait for interactive work in any queue of the engine, and for answers', async t => {
  const clock = { nowMs: 0 }
  const gate = new BatchGate(() => clock.nowMs)
  const one = queueOf(gate, clock)
  const other = queueOf(gate, clock)
  const hold = gate.hold()
  one.enter('i1')
  other.enter('b1', 'batch')
  const b2 = other.enter('b2', 'batch')
  t.same(other.begun, [])
  one.leave()
  t.same(other.begun, [], 'the answer has no token yet')
  hold.renew('answering')
  t.same(other.begun, [], 'nor is it complete')
  hold[Symbol.dispose]()
  hold.renew('answering')
  t.same(other.begun, ['b1'])
  other.enter('i2')
  other.leave()
  t.same(other.begun, ['b1', 'i2'])
  const idle = other.queue.idle()
  t.ok(other.queue.withdraw(b2))
  other.leave()
  await idle
  t.same(other.begun, ['b1', 'i2'], 'what was withdrawn never begins')
})

t.test('batch work gets its share while interactive work never ends', async t => {
  const clock = { nowMs: 0 }
  const gate = new BatchGate(() => clock.nowMs)
  const { begun, enter, leave } = queueOf(gate, clock)
  enter('b', 'batch')
  leave()
  enter('i')
  for (let run = 0; run < 100; run++) enter('b', 'batch')
  for (let step = 0; step < 400; step++) {
    enter('i')
    leave()
  }
  const shareOf = (runs: readonly string[]): number => runs.filter(name => name === 'b').length
  t.equal(shareOf(begun.slice(1)), 50, 'an eighth while answers are made')
  gate.hold()
  begun.length = 0
  for (let step = 0; step < 400; step++) {
    enter('i')
    leave()
  }
  t.equal(shareOf(begun), 8, 'a fiftieth before their first token')
})

t.test('a session whose prompt never comes holds batch work for a while only', async t => {
  const clock = { nowMs: 0 }
  const gate = new BatchGate(() => clock.nowMs)
  gate.hold()
  const hold = gate.hold()
  t.equal(gate.yieldUntilMs, 5000)
  clock.nowMs = 1000
  hold.renew('answering')
  t.equal(gate.yieldUntilMs, 6000)
  hold[Symbol.dispose]()
  t.equal(gate.yieldUntilMs, 5000)
  clock.nowMs = 5000
  const { begun, enter } = queueOf(gate, clock)
  enter('b', 'batch')
  t.same(begun, ['b'])
})
