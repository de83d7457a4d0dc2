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

const PREFIX = { scope: 'p1', blockPositions: 8, blocks: ['a', 'b', 'c'] }

t.test('a session that begins with blocks of another has what was sent of them', async t => {
  const logs = new SentLogs(1 << 20)
  const one = logs.open(PREFIX)
  add(one, [0, 8], [8, 8], [16, 3], [19, 1])
  one.leavePrefix()
  one[Symbol.dispose]()
  t.equal(logs.bytes, 0, 'no session has it')
  const next = logs.open(PREFIX)
  add(next, [16, 5], [21, 1])
  t.equal(next.from(22), 0)
  t.same(
    next.since(0)?.map(({ position, count }) => [position, count]),
    [
      [0, 8],
      [8, 8],
      [16, 5],
      [21, 1]
    ]
  )
  for (const prefix of [undefined, { ...PREFIX, scope: 'p2' }, { ...PREFIX, blocks: ['a', 'x'] }]) {
    const other = logs.open(prefix)
    add(other, [16, 5])
    t.equal(other.from(21), 16, 'another has not')
  }
  const further = logs.open(PREFIX)
  add(further, [24, 5])
  t.equal(further.from(29), 24, 'nor one that began with more')
  logs.forget('p1')
  const late = logs.open(PREFIX)
  add(late, [16, 5])
  t.equal(late.from(21), 16)
})

t.test('blocks that no session has make room, and go when nobody has used them for long', async t => {
  let now = 0
  const logs = new SentLogs(12_000, () => now)
  const begins = (): boolean => {
    const log = logs.open(PREFIX)
    add(log, [8, 1])
    const from = log.from(9)
    log[Symbol.dispose]()
    return from === 0
  }
  const leave = (): void => {
    const log = logs.open(PREFIX)
    add(log, [0, 8])
    log.leavePrefix()
    log[Symbol.dispose]()
  }
  leave()
  t.ok(begins())
  now += 600_001
  logs.expire()
  t.notOk(begins())
  leave()
  const many = Array.from({ length: 9 }, () => logs.open())
  for (const log of many) add(log, [0, 1])
  t.ok(logs.bytes > 8000, 'a log takes the room of what is left')
  for (const log of many) log[Symbol.dispose]()
  t.notOk(begins())
})
