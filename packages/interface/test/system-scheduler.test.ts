import t from 'tap'
import { steadyClock, systemClock, systemScheduler, type Timer, withDeadline } from '../src/index.ts'

t.test('timers run, once or again and again, and not once they are cleared', async t => {
  const calls: string[] = []
  const done = Promise.withResolvers<void>()
  const timer = systemScheduler.setTimeout(() => calls.push('cleared'), 1)
  systemScheduler.clear(timer)
  systemScheduler.clear(undefined)
  const again: Timer = systemScheduler.setInterval(() => {
    if (calls.push('again') < 3) return
    systemScheduler.clear(again)
    systemScheduler.setTimeout(done.resolve, 5)
  }, 1)
  await done.promise
  t.same(calls, ['again', 'again', 'again'])
})

t.test('sleeping ends with the time, or with the signal and its reason', async t => {
  await systemScheduler.sleep(1)
  const reason = new Error('enough')
  await t.rejects(systemScheduler.sleep(600_000, { signal: AbortSignal.abort(reason) }), reason)
  const controller = new AbortController()
  const sleeping = t.rejects(systemScheduler.sleep(600_000, { signal: controller.signal }), reason)
  controller.abort(reason)
  await sleeping
  const timeout = systemScheduler.timeoutSignal(0)
  await t.rejects(systemScheduler.sleep(600_000, { signal: timeout }), { name: 'TimeoutError' })
})

t.test('a deadline is of the scheduler that is given', async t => {
  let late: (() => void) | undefined
  const scheduler = {
    ...systemScheduler,
    setTimeout: (run: () => void) => {
      late = run
      return { refresh: () => {}, unref: () => {} }
    },
    clear: () => {}
  }
  const waiting = withDeadline('an answer', 5000, () => new Promise(() => {}), { scheduler })
  late?.()
  await t.rejects(waiting, { code: 'deadline_exceeded', message: 'an answer took longer than 5000 ms' })
})

t.test('clocks and chance', async t => {
  t.ok(Math.abs(systemScheduler.now() - systemScheduler.monotonic()) < 60_000, 'both count from 1970')
  t.ok(Number.isInteger(systemClock.now()) && Number.isInteger(steadyClock.now()))
  const drawn = systemScheduler.random()
  t.ok(drawn >= 0 && drawn < 1)
  t.equal(systemScheduler.randomBytes(16).length, 16)
  t.notSame(systemScheduler.randomBytes(16), systemScheduler.randomBytes(16))
})
