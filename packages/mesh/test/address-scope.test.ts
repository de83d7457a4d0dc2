import { networkInterfaces } from 'node:os'
import t from 'tap'
import {
  addressesBetween,
  believableAddresses,
  dialableAddresses,
  PEER_ADDRESSES_MAX,
  type PeerScope,
  peerScopeOf,
  scopeOf,
  seenFrom
} from '../src/index.ts'

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

t.test('what one peer is told of another depends on where both are', async t => {
  const addresses = ['/ip4/127.0.0.1/tcp/1', '/ip4/192.168.1.9/tcp/1', '/ip4/198.51.100.7/tcp/1']
  const [loopback, site, internet] = addresses
  const here = seenFrom('/ip4/127.0.0.1/tcp/1')
  const near = seenFrom('/ip4/192.168.1.5/tcp/1')
  const far = seenFrom('/ip4/198.51.100.7/tcp/1')
  const cases = [
    { id: 'both on this machine', of: here, to: here, told: [loopback, site, internet] },
    { id: 'here to the site', of: here, to: near, told: [site, internet] },
    { id: 'the site to here', of: near, to: here, told: [site, internet] },
    { id: 'far to here', of: far, to: here, told: [internet] },
    { id: 'here to far', of: here, to: far, told: [internet] },
    { id: 'behind one public address', of: far, to: seenFrom('/ip4/198.51.100.7/tcp/9'), told: [site, internet] },
    { id: 'behind two', of: far, to: seenFrom('/ip4/203.0.113.7/tcp/9'), told: [internet] }
  ]
  for (const { id, of, to, told } of cases) t.same(addressesBetween(addresses, of, to), told, id)
})

t.test('names are looked up before they are dialled', async t => {
  const zone: Record<string, string[]> = {
    'good.example': ['198.51.100.7', '2606:4700::1111'],
    'inside.example': ['127.0.0.1', '169.254.169.254', '10.0.0.1'],
    'mapped.example': ['::ffff:127.0.0.1', '::1']
  }
  const find = async (name: string): Promise<string[]> => {
    const found = zone[name]
    if (found === undefined) throw new Error('ENOTFOUND')
    return found
  }
  const dialled = (scope: PeerScope, ...addresses: string[]) => dialableAddresses(addresses, scope, find)
  t.same(await dialled('public', '/dns4/good.example/tcp/1'), ['/ip4/198.51.100.7/tcp/1'])
  t.same(await dialled('public', '/dns6/good.example/tcp/1'), ['/ip6/2606:4700::1111/tcp/1'])
  t.same(await dialled('public', '/dns/inside.example/tcp/6379', '/dns/mapped.example/tcp/6379'), [
    '/ip4/10.0.0.1/tcp/6379'
  ])
  t.same(await dialled('this_machine', '/dns4/inside.example/tcp/1'), ['/ip4/127.0.0.1/tcp/1', '/ip4/10.0.0.1/tcp/1'])
  t.same(await dialled('public', '/dns4/gone.example/tcp/1', '/dnsaddr/good.example/tcp/1', '/ip4/127.0.0.1/tcp/1'), [])
})
