import { ManualClock } from '@resultity/test-nodes'
import t from 'tap'
import { LinkLog } from '../src/placement/link-log.ts'

const RETRY_MS = 1000

t.test('two nodes avoid each other for a while, for longer each time', async t => {
  const clock = new ManualClock()
  const log = new LinkLog(clock, RETRY_MS)
  t.same([...log.avoidedBy('a')], [])
  for (const waitMs of [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 64_000]) {
    log.add('b', 'a')
    t.same([[...log.avoidedBy('a')], [...log.avoidedBy('b')], [...log.avoidedBy('c')]], [['b'], ['a'], []])
    clock.pass(waitMs - 1)
    t.same([...log.avoidedBy('a')], ['b'])
    t.equal(log.nextRetryMs(), clock.now() + 1)
    clock.pass(1)
    t.same([...log.avoidedBy('a')], [])
    t.equal(log.nextRetryMs(), undefined)
  }
  clock.pass(600_001)
  log.add('a', 'b')
  clock.pass(RETRY_MS)
  t.same([...log.avoidedBy('a')], [], 'a link that carried for long begins anew')
})

t.test('a node that went is forgotten with its links, and there is an end to them', async t => {
  const log = new LinkLog(new ManualClock(), RETRY_MS)
  log.add('a', 'b')
  log.add('b', 'c')
  log.add('a', 'c')
  log.forget('b')
  t.same([[...log.avoidedBy('a')], [...log.avoidedBy('b')]], [['c'], []])
  for (let index = 0; index < 2000; index++) log.add('x', `y${index}`)
  t.equal(log.list().length, 1024)
  t.same([...log.avoidedBy('a')], [], 'the oldest went first')
})
