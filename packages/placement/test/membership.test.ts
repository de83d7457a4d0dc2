import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Advert } from '@resultity/interface'
import { createMeshHost, loadIdentity, openAdvert } from '@resultity/mesh'
import { advert, ScriptedNode } from '@resultity/test-nodes'
import { MEMBERSHIP_PROTOCOL } from '@resultity/wire'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { JoinPolicy } from '../src/membership/join-policy.ts'
import { JoinRate, RefusalNotes } from '../src/membership/join-policy.ts'
import { Membership } from '../src/membership/membership.ts'
import { NodeRegistry } from '../src/membership/node-registry.ts'
import { plausibleAdvert } from '../src/membership/plausible-advert.ts'
import { TokenBucket } from '../src/membership/token-bucket.ts'

const LOOPBACK = '/ip4/127.0.0.1/tcp/4001'
const ELSEWHERE = '/ip4/198.51.100.7/tcp/4001'

/** The membership of a coordinator to which every peer seems to come from `remoteAddr`. */
async function setUp(t: Test, remoteAddr: string, joins: JoinPolicy = { open: false, allowed: new Set() }) {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-membership-'))
  const privateKey = await loadIdentity(dataDir)
  const host = await createMeshHost({ privateKey, listen: ['/ip4/127.0.0.1/tcp/0'], agent: 'test/0.0.0' })
  const clock = { now: () => Date.now() }
  const registry = new NodeRegistry(clock, { nodesMax: 8, silenceMaxMs: 600_000 })
  const lines: { peerId?: string; msg: string; hint?: string }[] = []
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const membership = new Membership(
    { registry, clock, steady: clock, logger, openAdvert, onAssignment: () => {} },
    { joins, helloTimeoutMs: 60_000, heartbeatIntervalMs: 600_000, heartbeatMissesMax: 3, greetersMax: 8 }
  )
  await host.handle(MEMBERSHIP_PROTOCOL, (stream, peerId) => membership.accept(stream, peerId, remoteAddr), {
    inboundStreamsMax: 8
  })
  const nodes: ScriptedNode[] = []
  t.teardown(async () => {
    membership[Symbol.dispose]()
    await host.close()
    await Promise.all(nodes.map(node => node.kill()))
    await rm(dataDir, { recursive: true })
  })
  const node = async (): Promise<ScriptedNode> => {
    const started = await ScriptedNode.start()
    nodes.push(started)
    return started
  }
  return { address: { peerId: host.peerId, multiaddrs: host.multiaddrs() }, registry, lines, node, joins }
}

t.test('a node of another machine is refused, told why, and written of once', async t => {
  const { address, registry, lines, node } = await setUp(t, ELSEWHERE)
  const stranger = await node()
  for (let attempt = 0; attempt < 3; attempt++) await stranger.join(address)
  const { code, message, hint } = await stranger.refused
  t.equal(code, 'peer_refused')
  t.match(message, stranger.peerId)
  t.match(hint, new RegExp(`--allow-node ${stranger.peerId}.*--open-join`))
  t.same(registry.list(), [])
  t.match(lines, [{ peerId: stranger.peerId, ip: '198.51.100.7', hint: /--allow-node/ }])
  t.equal(lines.length, 1)
})

t.test(
  'nodes of this machine join unless told otherwise, those that are allowed, and all where it is open',
  async t => {
    const here = await setUp(t, LOOPBACK)
    const local = await here.node()
    await local.join(here.address)
    t.ok(here.registry.get(local.peerId))

    const allowed = new Set<string>()
    const some = await setUp(t, ELSEWHERE, { open: false, allowed })
    const invited = await some.node()
    allowed.add(invited.peerId)
    await invited.join(some.address)
    t.ok(some.registry.get(invited.peerId))

    const tunnel = await setUp(t, LOOPBACK, { open: false, local: false, allowed: new Set() })
    const seemsLocal = await tunnel.node()
    await seemsLocal.join(tunnel.address)
    t.match(await seemsLocal.refused, { code: 'peer_refused', message: /without an invite/ })
    t.same(tunnel.registry.list(), [])

    const open = await setUp(t, ELSEWHERE, { open: true, allowed: new Set() })
    const anybody = await open.node()
    await anybody.join(open.address)
    t.ok(open.registry.get(anybody.peerId))
  }
)

t.test(
  'of a remote node’s addresses none is kept that is this machine’s, the link’s or a metadata service',
  async t => {
    const { address, registry, node } = await setUp(t, ELSEWHERE, { open: true, allowed: new Set() })
    const liar = await node()
    const multiaddrs = [
      '/ip4/127.0.0.1/tcp/6379',
      '/ip4/169.254.169.254/tcp/80',
      '/ip6/fe80::1/tcp/1',
      '/ip4/192.168.1.1/tcp/80',
      '/ip4/203.0.113.9/tcp/4001'
    ]
    await liar.join(address, [await liar.hello({ multiaddrs })])
    const other = await node()
    await other.join(address)
    t.same(registry.addressesOf(liar.peerId), ['/ip4/192.168.1.1/tcp/80', '/ip4/203.0.113.9/tcp/4001'])
    t.same(registry.addressesOf(liar.peerId, other.peerId).length, 2, 'both come from one address')
    const here = { scope: 'this_machine', ip: '127.0.0.1' } as const
    registry.join(advert('local', 1), here)
    t.same(registry.addressesOf(liar.peerId, 'local'), ['/ip4/203.0.113.9/tcp/4001'], 'not a site’s to another site')
    t.same(registry.addressesOf('gone'), [])
  }
)

t.test('a lying advert is put right, and written of once', async t => {
  const { address, registry, lines, node } = await setUp(t, LOOPBACK)
  const liar = await node()
  const lies: Partial<Advert> = { memoryOfferedBytes: 2 ** 50, memoryFreeBytes: 2 ** 51, probeMsPer100M: 1e-300 }
  await liar.join(address, [await liar.hello(lies)])
  const believed = registry.get(liar.peerId)?.advert
  t.equal(believed?.memoryOfferedBytes, 2 ** 34, 'what the machine has')
  t.equal(believed?.memoryFreeBytes, 2 ** 34)
  t.ok((believed?.probeMsPer100M ?? 0) > 0.001)
  t.match(lines, [{ peerId: liar.peerId, msg: /what no machine has/ }])
})

t.test('figures beyond belief, one by one', t => {
  const honest = advert('a', 4)
  t.same(plausibleAdvert(honest), { advert: honest, corrected: [] }, 'an honest one stays as it is')
  const stage = {
    placementId: 'p',
    manifest: '0'.repeat(64),
    range: { first: 0, end: 1 },
    decodeMsPerLayer: 0.2,
    sessionsOpen: 1,
    sessionsMax: 2
  }
  const measured = { ...honest, stages: [stage, { ...stage, decodeMsPerLayer: 0 }] }
  t.same(plausibleAdvert(measured).corrected, [], 'what is not measured stays 0')
  const lies = [
    { ...stage, decodeMsPerLayer: 1e-9 },
    { ...stage, decodeMsPerLayer: 1e300 },
    { ...stage, sessionsOpen: 1_000_000 }
  ]
  const { corrected, advert: believed } = plausibleAdvert({ ...honest, stages: lies })
  t.equal(corrected.length, 3)
  t.ok(believed.stages.every(one => one.decodeMsPerLayer > 1e-4 && one.decodeMsPerLayer < 1e9 && one.sessionsOpen <= 2))
  t.end()
})

t.test('a node that floods is let go: heartbeats, adverts', async t => {
  const { address, registry, node } = await setUp(t, LOOPBACK)
  for (const kind of ['heartbeats', 'adverts'] as const) {
    const flooder = await node()
    const adverts = kind === 'adverts' ? 30 : 0
    const beats = kind === 'heartbeats' ? 3000 : 0
    const messages = [await flooder.hello()]
    for (let sequence = 1; sequence <= beats; sequence++)
      messages.push({ type: 'heartbeat', sequence, advert: undefined })
    for (let sequence = 1; sequence <= adverts; sequence++) {
      const hello = await flooder.hello()
      if (hello.type === 'hello') messages.push({ type: 'heartbeat', sequence, advert: hello.advert })
    }
    await flooder.join(address, messages)
    t.match(await flooder.refused, { code: 'rate_limited' }, kind)
    t.equal(registry.get(flooder.peerId), undefined)
  }
})

t.test('joins of one peer have a rate, and others do not feel it', t => {
  const rate = new JoinRate()
  for (let count = 0; count < 20; count++) rate.admit('a', 1000)
  t.throws(() => rate.admit('a', 1000), { code: 'rate_limited' })
  rate.admit('b', 1000)
  rate.admit('a', 2000)
  t.throws(() => rate.admit('a', 2000), { code: 'rate_limited' })
  t.end()
})

t.test('who says no Hello keeps nobody out', async t => {
  const { address, registry, node } = await setUp(t, LOOPBACK)
  const [silent, honest] = [await node(), await node()]
  const open = (): ReturnType<typeof silent.host.open> => silent.host.open(address, MEMBERSHIP_PROTOCOL)
  const streams = await Promise.all(Array.from({ length: 8 }, open))
  const ended = Promise.race(streams.map(stream => new Promise(resolve => stream.addEventListener('close', resolve))))
  await honest.join(address)
  t.ok(registry.get(honest.peerId))
  await ended
  t.pass('one of the silent streams made way')
})

t.test('strangers do not fill the log', t => {
  const notes = new RefusalNotes(0)
  const written = Array.from({ length: 1000 }, (_, index) => notes.isNew(`peer ${index}`, 0)).filter(Boolean)
  t.equal(written.length, 20)
  t.notOk(notes.isNew('peer 1', 60_000), 'each once')
  t.ok(notes.isNew('peer 999', 60_000), 'later there is room for more')
  t.end()
})

t.test('a bucket fills with time, to its brim, and a clock that goes back takes nothing', t => {
  const bucket = new TokenBucket(2, 1, 1000)
  t.same([bucket.take(1000), bucket.take(1000), bucket.take(1000)], [true, true, false])
  t.notOk(bucket.take(0), 'back')
  t.ok(bucket.take(1000))
  t.same([bucket.take(99_000), bucket.take(99_000), bucket.take(99_000)], [true, true, false])
  t.end()
})
