import { withDeadline } from '@resultity/interface'
import t from 'tap'
import { SeededRandom, VirtualScheduler } from '../src/index.ts'

t.test('time passes when nothing is left to do, and in the order of its timers', async t => {
  const scheduler = new VirtualScheduler({ seed: 1 })
  const machine = scheduler.process()
  const calls: string[] = []
  const note = (name: string) => (): void => void calls.push(`${name} at ${scheduler.elapsedMs}`)
  machine.setTimeout(note('late'), 86_400_000)
  machine.setTimeout(note('first'), 5)
  machine.setTimeout(note('second'), 5)
  const canceled = machine.setTimeout(note('never'), 1)
  machine.clear(canceled)
  const refreshed = machine.setTimeout(note('refreshed'), 6)
  machine.setTimeout(() => refreshed.refresh(), 4)
  const beat = machine.setInterval(note('beat'), 4)
  void machine.sleep(3).then(note('slept'))
  void Promise.resolve().then(note('now'))
  t.notOk(await scheduler.run(() => false, 9))
  machine.clear(beat)
  t.ok(await scheduler.run(() => calls.at(-1)?.startsWith('late') === true, 86_400_000))
  t.same(
    calls,
    ['now at 0', 'slept at 3', 'beat at 4', 'first at 5', 'second at 5', 'beat at 8', 'late at 86400000'].toSpliced(
      6,
      0,
      'refreshed at 10'
    )
  )
})

t.test('a deadline of a day takes no time', async t => {
  const scheduler = new VirtualScheduler({ seed: 1 })
  const machine = scheduler.process()
  const waiting = withDeadline('it', 86_400_000, () => new Promise(() => {}), { scheduler: machine })
  const ended = t.rejects(waiting, { code: 'deadline_exceeded' })
  await scheduler.run(() => false, 86_400_001)
  await ended
  const signal = machine.timeoutSignal(1)
  await scheduler.run(() => signal.aborted, 2)
  t.match(signal.reason, { name: 'TimeoutError' })
})

t.test('a machine hangs, runs on, and ends; its wall clock jumps and its other clock does not', async t => {
  const scheduler = new VirtualScheduler({ seed: 1 })
  const [one, other] = [scheduler.process(), scheduler.process()]
  const calls: string[] = []
  one.setInterval(() => calls.push('one'), 10)
  other.setInterval(() => calls.push('other'), 10)
  one.hang()
  await scheduler.run(() => false, 35)
  t.same(calls.splice(0), ['other', 'other', 'other'])
  one.resume()
  await scheduler.run(() => false, 1)
  t.same(calls.splice(0), ['one'], 'once for all that it missed')
  other.end()
  await scheduler.run(() => false, 30)
  t.ok(calls.length === 3 && calls.every(name => name === 'one'))
  other.setTimeout(() => calls.push('other'), 1)
  const before = { wall: one.now(), steady: one.monotonic() }
  one.jumpClock(-3_600_000)
  await scheduler.run(() => false, 1000)
  t.equal(one.now() - before.wall, 1000 - 3_600_000)
  t.equal(one.monotonic() - before.steady, 1000)
  t.notOk(calls.includes('other'))
})

t.test('what a timer throws ends the run, and so does what is checked after each step', async t => {
  let steps = 0
  const scheduler = new VirtualScheduler({
    seed: 1,
    onStep: () => {
      if (++steps > 3) throw new Error('three steps are enough')
    }
  })
  const machine = scheduler.process()
  machine.setTimeout(() => {
    throw new Error('broken')
  }, 1)
  await t.rejects(
    scheduler.run(() => false, 10),
    { message: 'broken' }
  )
  machine.setInterval(() => {}, 1)
  await t.rejects(
    scheduler.run(() => false, 10),
    { message: 'three steps are enough' }
  )
})

t.test('one seed gives one series, and another seed another', async t => {
  const draw = (seed: number) => {
    const random = new SeededRandom(seed)
    return [random.fraction(), random.below(1000), random.between(5, 6), random.chance(0.5), random.bytes(4).join()]
  }
  t.same(draw(7), draw(7))
  t.notSame(draw(7), draw(8))
  t.notSame(draw(1), draw(2 ** 32 + 1), 'of all digits of the seed')
  const random = new SeededRandom(3)
  const drawn = Array.from({ length: 10_000 }, () => random.below(10))
  const counts = Object.values(Object.groupBy(drawn, number => number)).map(list => list?.length ?? 0)
  t.ok(
    counts.every(count => count > 850 && count < 1150),
    'evenly'
  )
  t.throws(() => random.pick([]))
})
