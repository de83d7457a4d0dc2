import { systemScheduler } from '@resultity/interface'
import t from 'tap'
import { BatchGate } from '../src/batch-gate.ts'
import { RunQueue } from '../src/run-queue.ts'

/** A queue whose steps are computed together; a run ends when the test says so. */
function sharingQueue(feedsItself: boolean) {
  const clock = { nowMs: 0 }
  const begun: string[] = []
  const gate = new BatchGate(() => clock.nowMs)
  const queue: RunQueue<{ name: string }> = new RunQueue(gate, systemScheduler, {
    start: steps => begun.push(steps.map(step => step.name).join('')),
    feedsItself
  })
  const chunk = (name: string): void => queue.enter(() => begun.push(name))
  return { clock, begun, queue, chunk }
}

const threeSteps = () => [{ name: 'a' }, { name: 'b' }, { name: 'c' }] as const
const loopTurns = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

t.test('steps that wait run together, and take turns with chunks', async t => {
  const { begun, queue, chunk } = sharingQueue(false)
  const [a, b, c] = threeSteps()
  const d = { name: 'd' }
  chunk('1')
  chunk('2')
  for (const step of [a, b, c]) queue.enterStep(step)
  t.ok(queue.withdraw(b))
  t.notOk(queue.withdraw(b))
  queue.leave()
  t.same(begun, ['1', 'ac'])
  queue.enterStep(d)
  queue.leave()
  t.same(begun, ['1', 'ac', '2'])
  queue.leave()
  t.same(begun, ['1', 'ac', '2', 'd'])
  queue.leave()
  await queue.idle()
})

t.test('where results lead to the next steps at once, steps wait until these have come', async t => {
  const { begun, queue } = sharingQueue(true)
  const [a, b, c] = threeSteps()
  queue.enterStep(a)
  t.same(begun, ['a'], 'one alone waits for nobody')
  queue.enterStep(b)
  queue.leave()
  t.same(begun, ['a'])
  queue.enterStep(a)
  t.same(begun, ['a', 'ba'], 'at once when all have come')
  queue.enterStep(c)
  queue.leave()
  queue.enterStep(b)
  await loopTurns()
  t.same(begun, ['a', 'ba', 'cb'], 'and for no longer than the event loop takes to turn')
  queue.leave()
  queue.forget(c)
  queue.enterStep(b)
  t.same(begun, ['a', 'ba', 'cb', 'b'], 'nobody waits for a session that is over')
  queue.forget(b)
  queue.leave()
  queue.enterStep(a)
  t.same(begun.at(-1), 'a')
  queue.leave()
  await queue.idle()
})

t.test('elsewhere the first of a group waits a moment for the others', async t => {
  const { clock, begun, queue } = sharingQueue(false)
  const [a, b, c] = threeSteps()
  queue.enterStep(a)
  queue.enterStep(b)
  queue.enterStep(c)
  queue.leave()
  t.same(begun, ['a', 'bc'], 'nobody waits for a stranger')
  queue.leave()
  queue.enterStep(b)
  await loopTurns()
  t.same(begun, ['a', 'bc'])
  clock.nowMs += 0.2
  queue.enterStep(c)
  t.same(begun, ['a', 'bc', 'bc'])
  queue.leave()
  queue.enterStep(c)
  clock.nowMs += 0.31
  await loopTurns()
  await loopTurns()
  t.same(begun.at(-1), 'c', 'and no longer')
  queue.leave()
  await queue.idle()
})

t.test('batch steps that are owed a run take interactive ones along', async t => {
  const { clock, begun, queue } = sharingQueue(false)
  const [a, b, c] = threeSteps()
  queue.enterStep(a)
  queue.enterStep(b, 'batch')
  queue.enterStep(c)
  queue.leave()
  t.same(begun, ['a', 'c'], 'not before')
  queue.enterStep(a)
  clock.nowMs += 1000
  queue.leave()
  t.same(begun, ['a', 'c', 'ab'])
  queue.leave()
  await queue.idle()
})
