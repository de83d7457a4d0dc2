import { test } from 'tap'
import type { LinkedSession } from '../src/linked-session.ts'
import { PendingJoins } from '../src/pending-joins.ts'

const session = new Uint8Array(16).fill(7)

/** As much of a session as a join is checked against. */
function opened(epoch: number, previousPeer: string): LinkedSession {
  return { open: { session, epoch, previousPeer } } as LinkedSession
}

test('a hop that comes before its session waits for it', async t => {
  const joins = new PendingJoins({ timeoutMs: 600_000, pendingMax: 2, pendingPerPeerMax: () => 100 })
  const joined = joins.wait({ type: 'join', session, epoch: 1 }, 'peer-a', undefined)
  const linked = opened(1, 'peer-a')
  joins.arrived(linked)
  t.equal(await joined, linked)
})

test('a hop is refused', async t => {
  const joins = new PendingJoins({ timeoutMs: 1, pendingMax: 1, pendingPerPeerMax: () => 100 })
  t.teardown(() => joins.close())
  const join = { type: 'join', session, epoch: 1 } as const
  await t.rejects(joins.wait(join, 'stranger', opened(1, 'peer-a')), { code: 'session_forbidden' }, 'from a stranger')
  await t.rejects(joins.wait(join, 'peer-a', opened(2, 'peer-a')), { code: 'session_unknown' }, 'of an older epoch')
  const waiting = joins.wait(join, 'peer-a', undefined)
  await t.rejects(joins.wait(join, 'peer-a', undefined), { code: 'resource_exhausted' }, 'when too many wait')
  await t.rejects(waiting, { code: 'session_unknown' }, 'when its session never comes')
})

test('closing refuses every hop that waits', async t => {
  const joins = new PendingJoins({ timeoutMs: 600_000, pendingMax: 4, pendingPerPeerMax: () => 100 })
  const waiting = joins.wait({ type: 'join', session, epoch: 1 }, 'peer-a', undefined)
  joins.close()
  await t.rejects(waiting, { code: 'unavailable' })
})

test('a peer that fills its own places leaves those of others', async t => {
  const joins = new PendingJoins({
    timeoutMs: 10_000,
    pendingMax: 10,
    pendingPerPeerMax: peerId => (peerId === 'member' ? 4 : 1)
  })
  const join = { type: 'join', session, epoch: 1 } as const
  const ofStranger = joins.wait(join, 'stranger', undefined)
  await t.rejects(joins.wait(join, 'stranger', undefined), { code: 'resource_exhausted', message: /of stranger/ })
  const ofMember = [1, 2, 3, 4].map(() => joins.wait(join, 'member', undefined))
  await t.rejects(joins.wait(join, 'member', undefined), { code: 'resource_exhausted' })
  joins.close()
  for (const waiting of [ofStranger, ...ofMember]) await t.rejects(waiting, { code: 'unavailable' })
})
