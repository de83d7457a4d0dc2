import { randomBytes } from 'node:crypto'
import { type DiscoveredPeer, identityFromSeed, type JoinFailure, type MeshHost, peerIdOf } from '@resultity/mesh'
import type { ByteStream } from '@resultity/wire'
import type t from 'tap'
import { addressOf, type HostWorld, starterOf, TEST_LIMITS, until } from './host-world.ts'

type Test = typeof t

const ECHO = '/test/echo/1.0.0'

const newIdentity = () => identityFromSeed(randomBytes(32))

async function serveEcho(host: MeshHost, inboundStreamsMax = 8): Promise<ByteStream[]> {
  const streams: ByteStream[] = []
  const accept = (stream: ByteStream): void => {
    streams.push(stream)
    stream.addEventListener('message', event => stream.send(event.data))
  }
  await host.handle(ECHO, accept, { inboundStreamsMax })
  return streams
}

/** Sends a byte and waits for it to come back. */
async function ping(stream: ByteStream): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  stream.addEventListener('message', () => resolve(true))
  stream.addEventListener('close', () => resolve(false))
  // the peer may have reset it before it was handed to us
  if (stream.status !== 'open') return false
  stream.send(Uint8Array.of(1))
  return promise
}

/** The address a host listens on, without its peer id. */
function listenAddress(host: MeshHost): string {
  return host.multiaddrs()[0]?.split('/p2p/')[0] ?? ''
}

/** What every {@link MeshHost} promises. Run against libp2p and against memory. */
export function hostCompliance(t: Test, world: HostWorld): void {
  const startHost = starterOf(world)

  t.test('hosts dial each other, and open streams over the connection that is there', async t => {
    const [a, b] = [await startHost(t), await startHost(t)]
    await serveEcho(a)
    t.ok(await ping(await b.open(addressOf(a), ECHO)), 'dialled by address')
    t.ok(await ping(await b.open({ peerId: a.peerId }, ECHO)), 'over the warm connection, without an address')
    await serveEcho(b)
    t.ok(await ping(await a.open({ peerId: b.peerId }, ECHO)), 'and the other way')
    await a.unhandle(ECHO)
    t.match(a.multiaddrs()[0], new RegExp(`^/ip4/127.0.0.1/tcp/\\d+/p2p/${a.peerId}$`))
  })

  t.test('why a peer cannot be had', async t => {
    const [a, b] = [await startHost(t), await startHost(t)]
    const stranger = peerIdOf(await newIdentity())
    const gone = await startHost(t)
    const old = addressOf(gone)
    await gone.close()
    await t.rejects(
      b.open(old, ECHO),
      { code: 'peer_unreachable', message: new RegExp(`${old.multiaddrs[0]}.*ECONNREFUSED`) },
      'nobody listens'
    )
    await t.rejects(b.open({ peerId: stranger }, ECHO), { code: 'peer_unreachable', message: /no address is known/ })
    await t.rejects(
      b.open({ peerId: stranger, multiaddrs: [listenAddress(a)] }, ECHO),
      { code: 'peer_unreachable' },
      'somebody else listens'
    )
    await t.rejects(
      b.open({ peerId: stranger, multiaddrs: ['/ip4/1.2.3.4/udp/1'] }, ECHO),
      { code: 'peer_unreachable' },
      'no TCP address'
    )
    await t.rejects(b.open({ peerId: 'nonsense' }, ECHO), { code: 'invalid_request' })
    await t.rejects(b.open({ peerId: stranger, multiaddrs: ['nonsense'] }, ECHO), { code: 'settings_invalid' })
    await t.rejects(b.open(addressOf(a), '/test/other/1.0.0'), { code: 'protocol_version', message: /does not speak/ })
    const aborted = AbortSignal.abort(new Error('changed my mind'))
    await t.rejects(b.open(addressOf(a), ECHO, { signal: aborted }), { message: /changed my mind/ })
  })

  t.test('a peer that is killed is unreachable at every moment, and refuses nobody', async t => {
    const host = await startHost(t)
    const { address, kill } = await world.startToBeKilled(t, ECHO)
    await host.open(address, ECHO)
    const opening: Promise<unknown>[] = []
    const open = (): void => void opening.push(host.open(address, ECHO).catch(error => error))
    // these are under way when it dies
    for (let before = 0; before < 3; before++) open()
    kill()
    for (let after = 0; after < 40; after++) {
      open()
      await new Promise(setImmediate)
    }
    for (const error of await Promise.all(opening)) {
      t.match(error, { code: 'peer_unreachable', message: /ECONN|ended|clos|reset|EOF/i })
    }
  })

  t.test('a dial that nobody answers ends at its deadline', async t => {
    const host = await startHost(t, { limits: { dialTimeoutMs: 50 } })
    const peerId = peerIdOf(await newIdentity())
    // 192.0.2.0/24 is for documentation: packets go nowhere, or there is no route
    const opening = host.open({ peerId, multiaddrs: ['/ip4/192.0.2.1/tcp/1'] }, ECHO)
    const error = await opening.then(
      () => undefined,
      cause => cause
    )
    t.ok(['deadline_exceeded', 'peer_unreachable'].includes(error?.code), error?.message)
  })

  t.test('the gater keeps peers out, both ways', async t => {
    const guest = await startHost(t)
    const picky = await startHost(t, { allowPeer: peerId => peerId === guest.peerId })
    const stranger = await startHost(t)
    const accepted = await serveEcho(picky)
    await serveEcho(stranger)
    t.ok(await ping(await guest.open(addressOf(picky), ECHO)))
    await t.rejects(stranger.open(addressOf(picky), ECHO), { code: 'peer_refused', hint: /allow/ }, 'coming in')
    await t.rejects(picky.open(addressOf(stranger), ECHO), { code: 'peer_refused', hint: /allow list/ }, 'going out')
    t.equal(accepted.length, 1)
  })

  t.test('addresses to listen on', async t => {
    const host = await startHost(t)
    const busy = listenAddress(host)
    const init = { privateKey: await newIdentity(), agent: 'x' }
    const port = busy.split('/').at(-1)
    await t.rejects(world.createHost({ ...init, listen: [busy] }), {
      code: 'address_in_use',
      message: new RegExp(`127.0.0.1:${port}`),
      hint: /another port/
    })
    await t.rejects(world.createHost({ ...init, listen: ['/ip4/192.0.2.1/tcp/0'] }), {
      code: 'settings_invalid',
      message: /192.0.2.1.*EADDRNOTAVAIL/
    })
    await t.rejects(world.createHost({ ...init, listen: ['127.0.0.1:4701'] }), {
      code: 'settings_invalid',
      message: /not a multiaddr/
    })
    await t.rejects(world.createHost({ ...init, listen: [], join: ['x'] }), { code: 'settings_invalid' })
    const announced = await startHost(t, { announce: ['/ip4/203.0.113.9/tcp/4701'] })
    t.same(announced.multiaddrs(), [`/ip4/203.0.113.9/tcp/4701/p2p/${announced.peerId}`])
    const dialOnly = await startHost(t, { listen: [] })
    await serveEcho(host)
    t.ok(await ping(await dialOnly.open(addressOf(host), ECHO)), 'a host that listens nowhere can dial')
  })

  t.test('streams beyond the limit are reset after the fact', async t => {
    const [a, b] = [await startHost(t), await startHost(t)]
    await serveEcho(a, 2)
    const streams = [await b.open(addressOf(a), ECHO), await b.open(addressOf(a), ECHO)]
    const third = await b.open(addressOf(a), ECHO).then(ping, () => false)
    t.notOk(third)
    t.same(await Promise.all(streams.map(ping)), [true, true], 'the others live')
  })

  t.test('a handler that throws resets its stream only', async t => {
    const [a, b] = [await startHost(t), await startHost(t)]
    await a.handle(
      '/test/broken/1.0.0',
      () => {
        throw new Error('bug')
      },
      { inboundStreamsMax: 1 }
    )
    await serveEcho(a)
    t.notOk(await b.open(addressOf(a), '/test/broken/1.0.0').then(ping, () => false))
    t.ok(await ping(await b.open(addressOf(a), ECHO)))
  })

  t.test('a lost peer is reported, and closing is final', async t => {
    const [a, b] = [await startHost(t), await startHost(t)]
    await serveEcho(a)
    const { promise: lost, resolve } = Promise.withResolvers<string>()
    const stop = b.onPeerDisconnected(resolve)
    const stream = await b.open(addressOf(a), ECHO)
    t.ok(await ping(stream))
    await a.close()
    await a.close()
    t.equal(await lost, a.peerId)
    stop()
    await t.rejects(b.open(addressOf(a), ECHO), { code: 'peer_unreachable' })
  })

  t.test('joining', async t => {
    t.test('goes on until the coordinator is there, says why it failed, and joins again after a restart', async t => {
      const privateKey = await newIdentity()
      const coordinator = { privateKey, agent: 'resultity-coordinator/test' }
      const first = await startHost(t, coordinator)
      const address = listenAddress(first)
      await first.close()
      const failures: JoinFailure[] = []
      const node = await startHost(t, { join: [address], onJoinFailed: failure => failures.push(failure) })
      await until(() => failures.length >= 2)
      t.match(failures[0], {
        multiaddr: address,
        attempt: 1,
        error: { code: 'peer_unreachable', message: /cannot be dialled: .*ECONNREFUSED/ }
      })
      t.equal(failures[1]?.attempt, 2)
      t.ok(failures.every(({ retryMs }) => retryMs > 0 && retryMs <= (TEST_LIMITS.redialMaxMs ?? 0)))

      const stop = new AbortController()
      const found = node.discoverCoordinator({ signal: stop.signal })[Symbol.asyncIterator]()
      const second = await startHost(t, { ...coordinator, listen: [address] })
      const peer: DiscoveredPeer | undefined = (await found.next()).value
      t.equal(peer?.peerId, second.peerId)
      t.ok(peer?.multiaddrs.some(multiaddr => multiaddr.startsWith(address)))
      await serveEcho(second)
      t.ok(await ping(await node.open({ peerId: second.peerId }, ECHO)))

      await second.close()
      const third = await startHost(t, { ...coordinator, listen: [address] })
      t.equal((await found.next()).value?.peerId, third.peerId, 'found again after the restart')
      stop.abort()
      t.ok((await found.next()).done, 'the search ends with its signal')
    })

    t.test('a search that begins late knows who is there; peers that are no coordinators are not yielded', async t => {
      const coordinator = await startHost(t, { agent: 'resultity-coordinator/test' })
      const other = await startHost(t)
      const node = await startHost(t)
      await serveEcho(coordinator)
      await serveEcho(other)
      await node.open(addressOf(other), ECHO)
      await ping(await node.open(addressOf(coordinator), ECHO))
      const stop = new AbortController()
      const join = [...other.multiaddrs(), ...coordinator.multiaddrs()]
      const seen: string[] = []
      for await (const peer of node.discoverCoordinator({ join, signal: stop.signal })) {
        seen.push(peer.peerId)
        stop.abort()
      }
      t.same(seen, [coordinator.peerId])
    })

    t.test('closing the host ends the search and the dialling', async t => {
      const node = await startHost(t)
      const search = node.discoverCoordinator({ join: ['/ip4/127.0.0.1/tcp/1'], signal: new AbortController().signal })
      const next = search[Symbol.asyncIterator]().next()
      await node.close()
      t.ok((await next).done)
    })

    t.test('with nothing to go by it is an error at once', async t => {
      const node = await startHost(t)
      t.throws(() => node.discoverCoordinator({ signal: new AbortController().signal }), { code: 'settings_invalid' })
    })
  })

  t.test('only who was named or looked for is followed', async t => {
    const coordinator = { privateKey: await newIdentity(), agent: 'resultity-coordinator/test' }
    const first = await startHost(t, coordinator)
    const address = listenAddress(first)
    await first.close()
    const node = await startHost(t)
    await serveEcho(node)
    const stop = new AbortController()
    const found = node.discoverCoordinator({ join: [address], signal: stop.signal })[Symbol.asyncIterator]()
    const next = found.next()
    // each connects while the search is on, and is identified before its stream is open
    for (let count = 0; count < 3; count++) {
      const intruder = await startHost(t, { agent: 'resultity-coordinator/test' })
      t.ok(await ping(await intruder.open(addressOf(node), ECHO)))
      t.ok(await ping(await intruder.open(addressOf(node), ECHO)))
    }
    const named = await startHost(t, { ...coordinator, listen: [address] })
    t.equal((await next).value?.peerId, named.peerId)
    stop.abort()
    t.ok((await found.next()).done)
  })

  t.test('what may not be dialled is not dialled', async t => {
    const [a, b] = [await startHost(t), await startHost(t)]
    await serveEcho(a)
    for (const address of ['/ip4/169.254.169.254/tcp/80', '/ip4/0.0.0.0/tcp/80', '/ip6/fe80::1/tcp/1']) {
      await t.rejects(b.open({ peerId: a.peerId, multiaddrs: [address] }, ECHO), { code: 'peer_refused' }, address)
    }
    await t.rejects(b.open({ peerId: a.peerId, multiaddrs: [] }, ECHO), { code: 'peer_unreachable' }, 'no address')
    const quiet = await startHost(t, { dials: false })
    await t.rejects(quiet.open(addressOf(a), ECHO), { code: 'peer_unreachable', message: /is not connected/ })
    await serveEcho(quiet)
    t.ok(await ping(await a.open(addressOf(quiet), ECHO)))
    t.ok(await ping(await quiet.open(addressOf(a), ECHO)), 'but it opens streams to who is connected')
    t.match(quiet.remoteAddrOf(a.peerId), /^\/ip4\/127.0.0.1\/tcp/)
  })
}
