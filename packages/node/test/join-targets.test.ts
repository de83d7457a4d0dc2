import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { identityFromSeed, peerIdOf, sealInvite } from '@resultity/mesh'
import t from 'tap'
import { AcceptedInvites, joinTargets, refusesInvite } from '../src/join-targets.ts'

const privateKey = await identityFromSeed(new Uint8Array(32).fill(1))
const coordinator = peerIdOf(privateKey)
const invite = {
  version: 1 as const,
  id: '0123456789abcdef',
  secret: 'S'.repeat(43),
  network: 'f'.repeat(32),
  coordinator,
  multiaddrs: ['/ip4/192.0.2.7/tcp/4001', '/ip4/192.0.2.8/tcp/4001/p2p/somebody-else'],
  expiresAtMs: 1000,
  label: null
}
const token = await sealInvite(invite, privateKey)
const address = '/ip4/192.0.2.9/tcp/4001'

t.test('an invite says where to join, and is for the coordinator that made it', async t => {
  const accepted = await AcceptedInvites.load(t.testdir({}))
  const { addresses, invites } = await joinTargets([address, token], accepted, { now: () => 999 })
  t.same(addresses, [
    address,
    `/ip4/192.0.2.7/tcp/4001/p2p/${coordinator}`,
    `/ip4/192.0.2.8/tcp/4001/p2p/${coordinator}`
  ])
  t.same([...invites], [[coordinator, { token, id: invite.id }]])
})

t.test('one that has ended is refused at the start, unless the node came by it', async t => {
  const dataDir = t.testdir({})
  const late = { now: () => 1000 }
  await t.rejects(joinTargets([token], await AcceptedInvites.load(dataDir), late), { code: 'invite_expired' })
  const accepted = await AcceptedInvites.load(dataDir)
  await Promise.all([accepted.add(invite.id), accepted.add(invite.id), accepted.add('another')])
  t.same(JSON.parse(await readFile(join(dataDir, 'accepted-invites.json'), 'utf8')), [invite.id, 'another'])
  t.same(await readdir(dataDir), ['accepted-invites.json'], 'it was replaced as a whole')
  const again = await AcceptedInvites.load(dataDir)
  t.equal((await joinTargets([token], again, late)).invites.size, 1)
  await t.rejects(joinTargets([token.slice(0, -8)], again, late), { code: 'invite_invalid' })
})

t.test('a damaged list is none', async t => {
  const accepted = await AcceptedInvites.load(t.testdir({ 'accepted-invites.json': '[1' }))
  t.equal(accepted.has(invite.id), false)
})

t.test('which refusals are for good', t => {
  t.equal(refusesInvite(new MeshError('invite_used_up', 'x')), true)
  t.equal(refusesInvite(new MeshError('peer_refused', 'x')), false)
  t.equal(refusesInvite(new MeshError('invalid_request', 'x')), false)
  t.end()
})
