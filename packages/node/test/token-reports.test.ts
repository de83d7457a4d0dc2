import { mock } from 'node:test'
import { assertProperty } from '@resultity/test-property'
import type { Sampled } from '@resultity/wire'
import fc from 'fast-check'
import t from 'tap'
import { TokenReports } from '../src/token-reports.ts'

mock.timers.enable({ apis: ['setTimeout'] })
t.teardown(() => mock.timers.reset())

const session = new Uint8Array(16)
const report = (position: number): Sampled => ({
  type: 'sampled',
  session,
  epoch: 1,
  position,
  token: 7,
  finish: 'continues',
  logprob: 0,
  top: []
})

function start(withinMs: number) {
  const sent: number[][] = []
  const send = (reports: readonly Sampled[]): void => void sent.push(reports.map(({ position }) => position))
  return { sent, reports: new TokenReports({ withinMs, send }) }
}

t.test('each token is told of a millisecond later, unless it may be later', t => {
  const { sent, reports } = start(0)
  reports.add(report(1))
  t.same(sent, [])
  mock.timers.tick(1)
  reports.add(report(2))
  mock.timers.tick(1)
  t.same(sent, [[1], [2]])
  t.end()
})

t.test('tokens that may be told of late go together, counted from the first', t => {
  const { sent, reports } = start(250)
  reports.add(report(1))
  mock.timers.tick(200)
  reports.add(report(2))
  mock.timers.tick(49)
  t.same(sent, [])
  mock.timers.tick(1)
  t.same(sent, [[1, 2]])
  reports.add(report(3))
  mock.timers.tick(249)
  t.same(sent, [[1, 2]])
  mock.timers.tick(1)
  t.same(sent, [[1, 2], [3]])
  t.end()
})

t.test('what is urgent takes along what is held, once, and what is held at the end is not sent', t => {
  const { sent, reports } = start(250)
  reports.add(report(1))
  mock.timers.tick(100)
  reports.add(report(2))
  reports.flush()
  reports.flush()
  t.same(sent, [[1, 2]])
  reports.add(report(3))
  mock.timers.tick(249)
  t.same(sent, [[1, 2]])
  reports[Symbol.dispose]()
  mock.timers.tick(1000)
  reports.flush()
  t.same(sent, [[1, 2]])
  t.end()
})

t.test('no more is held than a coordinator reads at once', t => {
  const { sent, reports } = start(60_000)
  for (let position = 0; position < 600; position++) reports.add(report(position))
  t.same(
    sent.map(({ length }) => length),
    [256, 256]
  )
  mock.timers.tick(60_000)
  t.same(
    sent.flat(),
    Array.from({ length: 600 }, (_, position) => position)
  )
  t.end()
})

t.test('whatever comes when, all are told of once, in order and in time', t => {
  const steps = fc.array(fc.oneof(fc.constant('add'), fc.constant('flush'), fc.integer({ min: 1, max: 40 })))
  const property = fc.property(steps, fc.integer({ min: 0, max: 60 }), (moves, withinMs) => {
    const { sent, reports } = start(withinMs)
    let now = 0
    const addedAt: number[] = []
    for (const move of moves) {
      if (move === 'add') reports.add(report(addedAt.push(now) - 1))
      else if (move === 'flush') reports.flush()
      else if (typeof move === 'number') {
        now += move
        mock.timers.tick(move)
        const due = addedAt.filter(at => at + Math.max(withinMs, 1) <= now).length
        if (sent.flat().length < due) return false
      }
    }
    reports.flush()
    return sent.flat().every((position, index) => position === index) && sent.flat().length === addedAt.length
  })
  assertProperty(property)
  t.end()
})
