import { type ErrorCode, MeshError, prefillEnd } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import type { HeldPositions } from '@resultity/wire'
import fc from 'fast-check'
import t from 'tap'
import { beginsStep, keepLimit, leavesCaches, planResume } from '../src/resume-plan.ts'

function has(held: number, loggedFrom = held): HeldPositions {
  return { held, loggedFrom }
}

t.test('only what is lost computes, where the stage before it has kept what it sent', async t => {
  const cases: [id: string, held: (HeldPositions | undefined)[], begins: number[], sendsFrom: number[]][] = [
    ['the first is lost', [has(0), has(98), has(98)], [0, 98, 98], [98, 98, 98]],
    ['one in the midst is lost', [has(98, 0), has(0), has(98)], [98, 0, 98], [0, 98, 98]],
    ['the last is lost', [has(98, 0), has(98, 0), has(0)], [98, 98, 0], [98, 0, 0]],
    ['all are there, some further on', [has(98, 0), has(97, 0), has(96)], [98, 97, 96], [97, 96, 96]],
    ['nothing was kept of what was sent', [has(98), has(98), has(0)], [0, 0, 0], [0, 0, 0]],
    ['by the one before alone', [has(98, 0), has(98), has(0)], [98, 0, 0], [0, 0, 0]],
    ['not from the beginning on', [has(98, 64), has(0), has(98)], [0, 0, 98], [0, 98, 98]],
    ['enough of it', [has(98, 64), has(80), has(98)], [98, 80, 98], [80, 98, 98]],
    ['two are lost', [has(98, 0), has(0), has(0), has(98)], [98, 0, 0, 98], [0, 0, 98, 98]],
    ['one does not know how to go on', [has(98, 0), undefined, has(98)], [0, 0, 0], [0, 0, 0]]
  ]
  for (const [id, held, begins, sendsFrom] of cases) {
    const orders = planResume(held)
    t.same([orders.map(({ begin }) => begin), orders.map(({ sendFrom }) => sendFrom)], [begins, sendsFrom], id)
  }
})

t.test('whatever stages have, each gets all that it lacks, and gives up only what it must', async () => {
  const stage = fc
    .tuple(fc.nat(12), fc.nat(12))
    .map(([one, other]): HeldPositions => ({ held: Math.max(one, other), loggedFrom: Math.min(one, other) }))
  assertProperty(
    fc.property(fc.array(stage, { minLength: 2, maxLength: 6 }), stages => {
      const orders = planResume(stages)
      return orders.every(({ begin, sendFrom }, index) => {
        const { held, loggedFrom } = stages[index] ?? has(0)
        const next = orders[index + 1]
        if (next === undefined) return begin === held
        const canSend = sendFrom >= begin || loggedFrom <= sendFrom
        // it forgets something only where it has to compute what the next stage lacks
        const forgets = begin < held ? begin === next.begin && loggedFrom > next.begin : begin === held
        return sendFrom === next.begin && canSend && forgets
      })
    })
  )
})

t.test('what is kept ends where a step begins that leaves the last committed token to be sampled again', async () => {
  const shape = fc.record({
    promptCount: fc.integer({ min: 1, max: 300 }),
    committedCount: fc.nat(20),
    prefillChunk: fc.integer({ min: 1, max: 64 })
  })
  assertProperty(
    fc.property(shape, ({ promptCount, committedCount, prefillChunk }) => {
      const starts = new Set<number>()
      for (let at = 0; at < promptCount; at = prefillEnd(at, promptCount, prefillChunk)) starts.add(at)
      for (let token = 0; token < committedCount; token++) starts.add(promptCount + token)
      const limit = keepLimit({ promptCount, committedCount, prefillChunk })
      const begins = (at: number): boolean => beginsStep(at, { promptCount, committedCount, prefillChunk })
      const steps = Array.from({ length: limit + 1 }, (_, at) => at).every(at => begins(at) === starts.has(at))
      // behind a step from there on are the logits of the last committed token, or of the first token
      const sampledAt = promptCount + Math.max(0, committedCount - 1)
      return steps && starts.has(limit) && limit < sampledAt && limit >= sampledAt - Math.max(1, prefillChunk * 1.25)
    })
  )
})

t.test('after a loss stages keep what they have; not where what they have may be wrong', async t => {
  const cases: [id: string, code: ErrorCode, details: Record<string, unknown>, keeps: boolean][] = [
    ['a node is lost', 'node_lost', { peerId: 'a' }, true],
    ['a node leaves', 'node_draining', { peerId: 'a' }, true],
    ['a link is lost', 'node_lost', { link: ['a', 'b'] }, true],
    ['a stage is full', 'resource_exhausted', {}, true],
    ['a stage is released', 'session_forbidden', {}, true],
    ['nobody knows who is stuck', 'node_lost', {}, false],
    ['a node computes no numbers', 'node_lost', { peerId: 'a', faulty: true }, false],
    ['an engine broke off', 'engine_failed', { peerId: 'a' }, false],
    ['a stage broke the protocol', 'protocol_violation', { peerId: 'a' }, false],
    ['the client went away', 'canceled', {}, false]
  ]
  for (const [id, code, details, keeps] of cases) {
    t.equal(leavesCaches(new MeshError(code, 'it went', { details })), keeps, id)
  }
})
