import { VirtualScheduler } from '@resultity/test-mesh'
import t from 'tap'
import { HopWatch } from '../src/hop-watch.ts'

/** A watch in virtual time, and what it says of the next stage. */
function setUp() {
  const scheduler = new VirtualScheduler({ seed: 1 })
  const machine = scheduler.process()
  const silent: number[] = []
  const watch = new HopWatch({ scheduler: machine, onSilent: ms => silent.push(ms) })
  return { watch, silent, pass: (ms: number) => scheduler.run(() => false, ms) }
}

t.test('a stage that acknowledges is never suspected, however long it takes for a frame', async t => {
  const { watch, silent, pass } = setUp()
  watch.connected()
  watch.sent(128)
  watch.sent(256)
  for (let ms = 0; ms < 20_000; ms += 300) {
    watch.acknowledged(128)
    await pass(300)
  }
  t.same(silent, [])
})

t.test('one that does not is reported after a second at most, and again and again', async t => {
  const { watch, silent, pass } = setUp()
  watch.connected()
  await pass(60_000)
  t.same(silent, [], 'nothing waits for it')
  watch.sent(1)
  watch.acknowledged(1)
  await pass(60_000)
  t.same(silent, [], 'it has all')
  watch.sent(2)
  await pass(700)
  t.same(silent, [])
  await pass(300)
  t.same(silent, [1000])
  await pass(500)
  t.same(silent, [1000, 1250, 1500])
  watch.acknowledged(2)
  await pass(60_000)
  t.equal(silent.length, 3, 'until it is heard')
})

t.test('frames that go on being sent are no sign of life', async t => {
  const { watch, silent, pass } = setUp()
  watch.connected()
  for (let position = 1; position <= 20; position++) {
    watch.sent(position)
    await pass(100)
  }
  t.ok(silent.length > 0)
})

t.test('dialling takes longer', async t => {
  const { watch, silent, pass } = setUp()
  watch.dial()
  await pass(3000)
  t.same(silent, [])
  await pass(600)
  t.same(silent, [3250, 3500])
  watch.connected()
  await pass(60_000)
  t.equal(silent.length, 2)
})

t.test('what was not sent cannot be acknowledged, and a session that is over says nothing', async t => {
  const { watch, silent, pass } = setUp()
  watch.connected()
  watch.sent(5)
  t.throws(() => watch.acknowledged(6), { code: 'protocol_violation' })
  watch[Symbol.dispose]()
  watch.sent(6)
  await pass(60_000)
  t.same(silent, [])
})
