import { VirtualScheduler } from '@resultity/test-mesh'
import t from 'tap'
import { HopAcks } from '../src/hop-acks.ts'

/** Acknowledgements and when they were sent, in virtual time. */
function setUp() {
  const scheduler = new VirtualScheduler({ seed: 1 })
  const machine = scheduler.process()
  const sent: [ms: number, position: number][] = []
  const acks = new HopAcks({
    scheduler: machine,
    send: position => sent.push([Math.round(scheduler.elapsedMs), position])
  })
  return { acks, sent, machine, pass: (ms: number) => scheduler.run(() => false, ms) }
}

t.test('the first frame after a pause is acknowledged at once, those behind it together', async t => {
  const { acks, sent, pass } = setUp()
  for (let position = 1; position <= 10; position++) {
    acks.came(position)
    acks.done()
    await pass(30)
  }
  await pass(10_000)
  t.same(sent, [
    [0, 1],
    [250, 9],
    [500, 10]
  ])
  acks.came(11)
  acks.done()
  t.equal(sent.at(-1)?.[1], 11, 'at once again')
})

t.test('a frame at work is a sign of life as long as it takes: others may wait behind it', async t => {
  const { acks, sent, pass } = setUp()
  acks.came(128)
  await pass(1100)
  t.same(
    sent.map(([, position]) => position),
    [128, 128, 128, 128, 128]
  )
  acks.done()
  await pass(5000)
  t.equal(sent.length, 5, 'and none when nothing is left to say')
})

t.test(
  'a frame that comes piece by piece is a sign of life before it is there, and then is acknowledged at once',
  async t => {
    const { acks, sent, pass } = setUp()
    acks.came(1)
    acks.done()
    await pass(10_000)
    t.equal(sent.length, 1)
    for (let piece = 0; piece < 20; piece++) {
      acks.received()
      await pass(100)
    }
    t.same(
      sent.slice(1).map(([, position]) => position),
      Array(8).fill(1),
      'four times a second'
    )
    await pass(10_000)
    t.ok(sent.length <= 10, 'not when nothing comes any more')
    const before = sent.length
    acks.received()
    acks.came(2)
    t.same(
      sent.slice(before).map(([, position]) => position),
      [2],
      'its first piece says nothing of its own'
    )
  }
)

t.test('nothing is said by a session that is over', async t => {
  const { acks, sent, pass } = setUp()
  acks.came(1)
  acks[Symbol.dispose]()
  acks.came(2)
  acks.received()
  await pass(5000)
  t.same(sent, [[0, 1]])
})
