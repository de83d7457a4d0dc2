import { test } from 'tap'
import { KnownPeers } from '../src/known-peers.ts'
import { reachablePeer } from '../src/peer-addresses.ts'

test('coordinators and the members that they name are known, nobody else', async t => {
  const known = new KnownPeers()
  known.setMembers('c1', ['a', 'b'])
  known.follow('c2')
  known.follow('c1')
  t.same(
    ['c1', 'c2', 'a', 'b', 'x'].map(peerId => known.has(peerId)),
    [true, true, true, true, false]
  )
  known.setMembers('c1', ['b'])
  t.notOk(known.has('a'), 'a member that left')
  t.ok(known.has('b'))
})

test('a coordinator elsewhere cannot have this machine’s own services dialled', async t => {
  const connected: Record<string, string> = {
    here: '/ip4/127.0.0.1/tcp/4001',
    there: '/ip4/198.51.100.7/tcp/4001',
    warm: '/ip4/10.0.0.3/tcp/1'
  }
  const host = { remoteAddrOf: (peerId: string) => connected[peerId] }
  const multiaddrs = ['/ip4/127.0.0.1/tcp/6379', '/ip4/169.254.169.254/tcp/80', '/ip4/198.51.100.9/tcp/4001']
  const [loopback, , other] = multiaddrs
  const told = (by: string) => reachablePeer(host, { peerId: 'peer', multiaddrs }, by)
  t.same(await told('there'), { peerId: 'peer', multiaddrs: [other] })
  t.same(await told('gone'), { peerId: 'peer', multiaddrs: [other] }, 'one whose place is not known is elsewhere')
  t.same(await told('here'), { peerId: 'peer', multiaddrs: [loopback, other] })
  t.same(await reachablePeer(host, { peerId: 'warm', multiaddrs }, 'here'), { peerId: 'warm', multiaddrs: [] })
})
