import t from 'tap'
import { type SentLog, SentLogs } from '../src/sent-log.ts'

const HIDDEN = new Uint8Array(1000).fill(1)

function add(log: SentLog, ...spans: readonly (readonly [position: number, count: number])[]): void {
  for (const [position, count] of spans) log.add(position, count, HIDDEN)
}

t.test('what was sent is kept in the steps in which it was', async t => {
  const log = new SentLogs(1 << 20).open()
  add(log, [0, 8], [8, 8], [16, 3], [19, 1], [20, 1])
  t.equal(log.from(21), 0)
  t.same(
    log.since(8)?.map(({ position, count }) => [position, count]),
    [
      [8, 8],
      [16, 3],
      [19, 1],
      [20, 1]
    ]
  )
  t.equal(log.since(9), undefined, 'no step began there')
  log.truncate(19)
  t.same([log.from(19), log.from(21)], [0, 21], 'what comes behind is forgotten')
  add(log, [19, 1])
  t.equal(log.since(19)?.length, 1)
  log.truncate(10)
  t.equal(log.from(8), 0, 'a step that would be cut goes')
})

t.test('it is a copy', async t => {
  const log = new SentLogs(1 << 20).open()
  const states = new Uint8Array([1, 2, 3, 4])
  log.add(0, 1, states)
  states.fill(9)
  t.same([...(log.since(0)?.[0]?.hidden ?? [])], [1, 2, 3, 4])
})

t.test('a session takes a quarter of the memory at the most, and all of them no more than there is', async t => {
  const logs = new SentLogs(20_000)
  const [one, ...others] = Array.from({ length: 5 }, () => logs.open())
  if (one === undefined) throw new Error('there are five')
  add(one, [0, 1], [1, 1], [2, 1])
  t.equal(one.from(3), 0)
  add(one, [3, 1])
  t.same([one.from(4), logs.bytes], [4, 0], 'one that finds no room gives up all')
  add(one, [4, 1])
  t.same([one.from(5), logs.bytes], [5, 0], 'and does not begin in the midst')
  for (const log of others) add(log, [0, 1], [1, 1], [2, 1])
  const last = logs.open()
  add(last, [0, 1], [1, 1], [2, 1], [3, 1])
  t.ok(logs.bytes <= 20_000 && logs.bytes > 10_000, `${logs.bytes} bytes`)
  one.truncate(0)
  for (const log of [...others, last]) log[Symbol.dispose]()
  t.equal(logs.bytes, 0)
  add(one, [0, 1])
  t.equal(one.from(1), 0, 'it may begin again')
})

t.test('a node that keeps nothing keeps nothing', async t => {
  const logs = new SentLogs(0)
  const log = logs.open()
  add(log, [0, 8], [8, 8])
  t.same([log.from(16), log.since(0), logs.bytes], [16, undefined, 0])
})
