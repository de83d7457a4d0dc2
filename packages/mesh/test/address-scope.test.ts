import { networkInterfaces } from 'node:os'
import t from 'tap'
import { believableAddresses, PEER_ADDRESSES_MAX, peerScopeOf, scopeOf } from '../src/index.ts'

const PEER = '12D3KooWGC3tkwYoWh8Cu7a8RLzAS6ypoT5PxbWC5RbmcWqmuyxn'

t.test('the scope of an address', async t => {
  const cases: Record<string, string[]> = {
    loopback: [
      '/ip4/127.0.0.1/tcp/4001',
      `/ip4/127.9.9.9/tcp/1/p2p/${PEER}`,
      '/ip6/::1/tcp/4001',
      '/ip6/::ffff:127.0.0.1/tcp/1'
    ],
    private: [
      '/ip4/10.1.2.3/tcp/1',
      '/ip4/172.31.0.1/tcp/1',
      '/ip4/192.168.1.1/tcp/80',
      '/ip4/100.64.0.1/tcp/1',
      '/ip6/fd12::1/tcp/1'
    ],
    public: ['/ip4/8.8.8.8/tcp/1', '/ip6/2606:4700::1111/tcp/1', '/ip4/172.32.0.1/tcp/1'],
    name: ['/dns4/node.example/tcp/4001', `/dns/node.example/tcp/1/p2p/${PEER}`],
    unusable: [
      '/ip4/169.254.169.254/tcp/80',
      '/ip6/::ffff:169.254.169.254/tcp/80',
      '/ip6/fe80::1/tcp/1',
      '/ip6/fd00:ec2::254/tcp/80',
      '/ip4/100.100.100.200/tcp/80',
      '/ip4/0.0.0.0/tcp/1',
      '/ip6/::/tcp/1',
      '/ip4/224.0.0.1/tcp/1',
      '/ip4/255.255.255.255/tcp/1',
      '/ip6/ff02::1/tcp/1',
      '/ip6/64:ff9b::7f00:1/tcp/1',
      '/ip4/8.8.8.8/udp/1',
      '/ip4/8.8.8.8/tcp/1/ws',
      `/ip4/8.8.8.8/tcp/1/p2p/${PEER}/p2p-circuit`,
      '/unix/%2Ftmp%2Fx',
      '/ip4/8.8.8.8',
      'nonsense',
      ''
    ]
  }
  for (const [scope, addresses] of Object.entries(cases)) {
    for (const address of addresses) t.equal(scopeOf(address), scope, `${address} is ${scope}`)
  }
})

t.test('a peer is on this machine when it comes from loopback or from an address of ours', async t => {
  t.equal(peerScopeOf('/ip4/127.0.0.1/tcp/5555'), 'this_machine')
  t.equal(peerScopeOf('/ip6/::1/tcp/5555'), 'this_machine')
  for (const { address, scopeid } of Object.values(networkInterfaces()).flatMap(list => list ?? [])) {
    if (scopeid) continue
    const family = address.includes(':') ? 'ip6' : 'ip4'
    t.equal(peerScopeOf(`/${family}/${address}/tcp/1`), 'this_machine', address)
  }
  t.equal(peerScopeOf('/ip4/198.51.100.7/tcp/1'), 'public')
  t.equal(peerScopeOf('/ip4/10.255.254.253/tcp/1'), 'private')
  t.equal(peerScopeOf('nonsense'), 'public', 'what cannot be read is far away')
})

t.test('a peer is believed the addresses that it can have', async t => {
  const advertised = [
    '/ip4/127.0.0.1/tcp/6379',
    '/ip4/169.254.169.254/tcp/80',
    '/ip4/192.168.1.1/tcp/80',
    '/ip4/198.51.100.7/tcp/4001',
    '/dns4/node.example/tcp/4001'
  ]
  const [loopback, , site, internet, name] = advertised
  t.same(believableAddresses(advertised, 'public'), [internet, name])
  t.same(believableAddresses(advertised, 'private'), [site, internet, name])
  t.same(believableAddresses(advertised, 'this_machine'), [loopback, site, internet, name])
  const many = Array.from({ length: 100 }, (_, index) => `/ip4/198.51.100.7/tcp/${index + 1}`)
  t.equal(believableAddresses([...many, ...many], 'public').length, PEER_ADDRESSES_MAX)
})
