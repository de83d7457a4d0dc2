import { createConnection, type Socket } from 'node:net'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { ConnectionLimits, type RawConnection } from '../src/connection-limits.ts'
import { addressOf, startHost, until } from './hosts.ts'

class FakeConnection implements RawConnection {
  readonly remoteAddr: string
  aborted = false
  #onClose: (() => void)[] = []

  constructor(ip: string) {
    this.remoteAddr = `/ip4/${ip}/tcp/1`
  }

  addEventListener(_type: 'close', listener: () => void): void {
    this.#onClose.push(listener)
  }

  abort(): void {
    this.aborted = true
    for (const listener of this.#onClose.splice(0)) listener()
  }
}

const init = {
  connectionsMax: 6,
  connectionsPerPeerMax: 2,
  strangersMax: 3,
  strangersPerAddressMax: 2,
  pendingMax: 4,
  pendingPerAddressMax: 2,
  strangerGraceMs: 1000
}

function setUp() {
  let now = 0
  const members = new Set<string>()
  const limits = new ConnectionLimits(init, () => now)
  limits.setMembers(peerId => members.has(peerId))
  const connect = (ip: string, peerId: string): FakeConnection | undefined => {
    const raw = new FakeConnection(ip)
    if (!limits.admitInbound(raw, ip)) return undefined
    if (limits.admitPeer(raw, ip, peerId, true)) return raw
    raw.abort()
    return undefined
  }
  return { limits, members, connect, pass: (ms: number) => (now += ms) }
}

t.test('handshakes of one address are limited, and one that ends makes room', async t => {
  const { limits } = setUp()
  const raws = [new FakeConnection('a'), new FakeConnection('a'), new FakeConnection('a'), new FakeConnection('b')]
  t.same(
    raws.map(raw => limits.admitInbound(raw, raw.remoteAddr)),
    [true, true, false, true]
  )
  raws[0]?.abort()
  t.ok(limits.admitInbound(new FakeConnection('a'), '/ip4/a/tcp/1'))
})

t.test('who holds handshakes open makes way: the oldest, of the address that has the most', async t => {
  const { limits, pass } = setUp()
  const pending = ['a', 'b', 'b', 'c'].map(ip => {
    const raw = new FakeConnection(ip)
    t.ok(limits.admitInbound(raw, ip))
    pass(1)
    return raw
  })
  const member = new FakeConnection('d')
  t.ok(limits.admitInbound(member, 'd'))
  t.same(
    pending.map(({ aborted }) => aborted),
    [false, true, false, false]
  )
  t.ok(limits.admitInbound(new FakeConnection('e'), 'e'))
  t.ok(pending[0]?.aborted, 'where all have one, the oldest')
  t.equal(limits.count, 4)
  t.ok(limits.admitPeer(member, 'd', 'm', true))
  t.ok(limits.admitInbound(new FakeConnection('f'), 'f'))
  t.notOk(member.aborted, 'one that is through stays')
})

t.test('strangers have their share, and old ones make way for new ones', async t => {
  const { connect, pass } = setUp()
  const first = connect('a', 's1')
  pass(1)
  t.ok(connect('a', 's2'))
  t.notOk(connect('a', 's3'), 'a third of one address')
  t.ok(connect('b', 's3'))
  t.notOk(connect('c', 's4'), 'a fourth in all')
  pass(999)
  t.ok(connect('c', 's4'), 'after its grace the oldest goes')
  t.ok(first?.aborted)
})

t.test('a member has its place, whatever strangers do', async t => {
  const { limits, connect, members } = setUp()
  const strangers = [connect('a', 's1'), connect('b', 's2'), connect('c', 's3')]
  for (const member of ['m1', 'm2', 'm3', 'm4', 'm5', 'm6']) {
    members.add(member)
    t.ok(connect('d', member), member)
  }
  t.ok(strangers.every(stranger => stranger?.aborted))
  t.notOk(connect('d', 's9'))
  members.add('m7')
  t.notOk(connect('d', 'm7'), 'members do not push each other out')
  t.equal(limits.count, init.connectionsMax)
})

t.test('one more connection of a peer takes the place of its oldest', async t => {
  const { connect, members, pass } = setUp()
  members.add('m')
  const first = connect('a', 'm')
  pass(1)
  const second = connect('a', 'm')
  pass(1)
  t.ok(connect('a', 'm'))
  t.ok(first?.aborted)
  t.notOk(second?.aborted)
})

t.test('whatever comes in whatever order, no limit is passed', async () => {
  const step = fc.record({
    ip: fc.constantFrom('a', 'b', 'c'),
    peer: fc.constantFrom('m1', 'm2', 'm3', 'm4', 's1', 's2', 's3', 's4', 's5', 's6'),
    close: fc.boolean(),
    passMs: fc.constantFrom(0, 400, 1200)
  })
  const holds = fc.property(fc.array(step, { maxLength: 60 }), steps => {
    const { limits, connect, members, pass } = setUp()
    for (const member of ['m1', 'm2', 'm3', 'm4']) members.add(member)
    const open: { raw: FakeConnection; peer: string; ip: string }[] = []
    for (const { ip, peer, close, passMs } of steps) {
      pass(passMs)
      if (close) open.shift()?.raw.abort()
      const raw = connect(ip, peer)
      if (raw !== undefined) open.push({ raw, peer, ip })
      const live = open.filter(one => !one.raw.aborted)
      const strangers = live.filter(one => one.peer.startsWith('s'))
      if (live.length !== limits.count || live.length > init.connectionsMax) return false
      if (strangers.length > init.strangersMax) return false
      if (live.filter(one => one.peer === peer).length > init.connectionsPerPeerMax) return false
      if (strangers.filter(one => one.ip === ip).length > init.strangersPerAddressMax) return false
    }
    return true
  })
  assertProperty(holds, { numRuns: 300 })
})

function sockets(t: Test, count: number, port: number): Socket[] {
  const made = Array.from({ length: count }, () => createConnection({ host: '127.0.0.1', port }))
  for (const socket of made) socket.on('error', () => {})
  t.teardown(() => {
    for (const socket of made) socket.destroy()
  })
  return made
}

t.test('a real host: as many connections as it may have and no more, all at once; then a member', async t => {
  const limits = { connectionsMax: 8, strangersFraction: 0.5, strangersPerAddressMax: 100, pendingPerAddressMax: 100 }
  const host = await startHost(t, { limits })
  const members = new Set<string>()
  host.setMembers(peerId => members.has(peerId))
  await host.handle(
    '/test/echo/1.0.0',
    stream => stream.addEventListener('message', event => stream.send(event.data)),
    {
      inboundStreamsMax: 8
    }
  )
  const peers = await Promise.all(Array.from({ length: 16 }, () => startHost(t)))
  const ask = async (peer: (typeof peers)[number]): Promise<boolean> => {
    try {
      const stream = await peer.open(addressOf(host), '/test/echo/1.0.0')
      const { promise, resolve } = Promise.withResolvers<boolean>()
      stream.addEventListener('message', () => resolve(true))
      stream.addEventListener('close', () => resolve(false))
      if (stream.status !== 'open') return false
      stream.send(Uint8Array.of(1))
      return await promise
    } catch {
      return false
    }
  }
  const answered = await Promise.all(peers.map(ask))
  t.equal(answered.filter(Boolean).length, 4, 'half of the places are for strangers')
  const refused = peers[answered.indexOf(false)]
  if (refused === undefined) throw new Error('all strangers were let in')
  members.add(refused.peerId)
  t.ok(await ask(refused), 'a member gets in')
})

t.test('a real host: handshakes that never go on do not keep others of another kind out', async t => {
  const host = await startHost(t, { limits: { pendingPerAddressMax: 4, pendingInboundMax: 100 } })
  const port = Number(/\/tcp\/(\d+)/.exec(host.multiaddrs()[0] ?? '')?.[1])
  const idle = sockets(t, 40, port)
  const ended = () => idle.filter(socket => socket.closed).length
  await until(() => ended() === 36)
  t.equal(ended(), 36, 'all but four are cut at once')
})

t.test('a real host: a peer gets in though others hold all handshakes, from many addresses', async t => {
  const host = await startHost(t, {
    limits: { pendingPerAddressMax: 100, strangersPerAddressMax: 100, pendingInboundMax: 8 }
  })
  await host.handle('/test/1', stream => void stream.close(), { inboundStreamsMax: 8 })
  const idle = sockets(t, 8, Number(/\/tcp\/(\d+)/.exec(host.multiaddrs()[0] ?? '')?.[1]))
  await until(() => idle.every(socket => socket.readyState === 'open'))
  const peer = await startHost(t)
  t.ok(await peer.open(addressOf(host), '/test/1'))
})
