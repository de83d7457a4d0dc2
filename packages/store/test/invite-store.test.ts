import { InviteStore, type NewInvite } from '../src/index.ts'
import { onBothDatabases } from './support/both-databases.ts'

const invite: NewInvite = {
  id: 'a'.repeat(16),
  secretSha256: '5'.repeat(64),
  coordinator: '12D3KooWcoordinator',
  label: "'); drop table invite; --",
  createdAtMs: 1000,
  expiresAtMs: 2000,
  usesMax: 2
}

onBothDatabases('an invite is good for so many nodes, until it ends', async (t, { open }) => {
  const store = new InviteStore(await open())
  await store.add(invite)
  const redeem = (peerId: string, over: { id?: string; secretSha256?: string; nowMs?: number } = {}) =>
    store.redeem({ id: invite.id, secretSha256: invite.secretSha256, peerId, nowMs: 1500, ...over })
  t.equal(await redeem('one', { id: 'b'.repeat(16) }), 'unknown')
  t.equal(await redeem('one', { secretSha256: '6'.repeat(64) }), 'unknown', 'an id alone is worth nothing')
  t.equal(await redeem('one', { nowMs: 2000 }), 'expired')
  t.same(await store.nodes(10), [])
  const both = await Promise.all([redeem('one'), redeem('two'), redeem('three')])
  t.same(both.toSorted(), ['redeemed', 'redeemed', 'used_up'], 'never more, also at once')
  t.equal((await store.nodes(10)).length, 2)
  t.same(await store.list(10), [{ ...invite, uses: 2, revokedAtMs: null }])
})

onBothDatabases('a node that came by an invite stays known until it is removed', async (t, { open }) => {
  const store = new InviteStore(await open())
  await store.add({ ...invite, usesMax: null })
  const redeeming = { id: invite.id, secretSha256: invite.secretSha256, peerId: 'one', nowMs: 1500 }
  t.equal(await store.redeem(redeeming), 'redeemed')
  t.match(await store.revoke(invite.id, 1600), { revokedAtMs: 1600 })
  t.match(await store.revoke(invite.id, 1700), { revokedAtMs: 1600 }, 'once')
  t.equal(await store.revoke('b'.repeat(16), 1700), undefined)
  t.equal(await store.redeem({ ...redeeming, peerId: 'two' }), 'revoked')
  await store.prune(2001)
  t.equal(await store.count(), 0)
  const again = new InviteStore(await open())
  t.same(await again.nodes(10), [{ peerId: 'one', inviteId: invite.id, joinedAtMs: 1500 }])
  t.equal(await again.isInvited('one'), true)
  const strangers = Array.from({ length: 1200 }, (_, index) => `stranger ${index}`)
  t.same([...(await again.invitedAmong([...strangers, 'one']))], ['one'])
  t.same([...(await again.invitedAmong([]))], [])
  t.equal(await again.removeNode('one', 1800), true)
  t.equal(await again.removeNode('one', 1800), false)
  t.equal(await again.isInvited('one'), false)
})

onBothDatabases('a database has one network, whoever opens it', async (t, { open }) => {
  const id = await new InviteStore(await open()).networkId()
  t.match(id, /^[0-9a-f]{32}$/)
  t.equal(await new InviteStore(await open()).networkId(), id)
})

onBothDatabases(
  'a node that asks twice at once takes one use, and its removal ends the invite',
  async (t, { open }) => {
    const store = new InviteStore(await open())
    await store.add(invite)
    const redeeming = { id: invite.id, secretSha256: invite.secretSha256, peerId: 'one', nowMs: 1500 }
    t.same(await Promise.all([store.redeem(redeeming), store.redeem(redeeming)]), ['redeemed', 'redeemed'])
    t.match(await store.list(10), [{ uses: 1, revokedAtMs: null }])
    t.equal(await store.removeNode('one', 1600), true)
    t.match(await store.list(10), [{ uses: 1, revokedAtMs: 1600 }])
    t.equal(await store.redeem(redeeming), 'revoked')
    t.equal(await store.isInvited('one'), false)
    await store.removeEnded(1700)
    t.equal(await store.count(), 0)
  }
)
