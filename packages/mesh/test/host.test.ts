import { createSocket } from 'node:dgram'
import t from 'tap'
import { addressOf, startHost } from './hosts.ts'

/** Whether this machine lets multicast packets back to itself: some containers do not. */
async function multicastWorks(): Promise<boolean> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  const { promise, resolve } = Promise.withResolvers<boolean>()
  // the packet is back within a millisecond, or never
  const deadline = setTimeout(resolve, 5000, false)
  socket.on('error', () => resolve(false))
  socket.on('message', () => resolve(true))
  socket.bind(0, () => {
    try {
      socket.addMembership('224.0.0.251')
      socket.send('probe', socket.address().port, '224.0.0.251')
    } catch {
      resolve(false)
    }
  })
  const works = await promise
  clearTimeout(deadline)
  socket.close()
  return works
}

const skip = (await multicastWorks()) ? false : 'no multicast on this machine'

t.test('on the local network nodes find coordinators, by mDNS', { skip }, async t => {
  const mdns = { serviceTag: `_mesh-test-${process.pid}._udp.local`, intervalMs: 200 }
  const node = await startHost(t, { mdns })
  await startHost(t, { mdns })
  const coordinator = await startHost(t, { mdns, agent: 'resultity-coordinator/test' })
  const stop = new AbortController()
  const seen: string[] = []
  for await (const peer of node.discoverCoordinator({ signal: stop.signal })) {
    seen.push(peer.peerId)
    stop.abort()
  }
  t.same(seen, [coordinator.peerId])
})

t.test('many who dial a peer at the same moment are all let in', async t => {
  const [peer, other] = [await startHost(t), await startHost(t)]
  await peer.handle('/test/1', stream => void stream.close(), { inboundStreamsMax: 256 })
  // over a connection that is not there yet: the peer hears of the first streams before it knows the connection
  const opened = await Promise.all(Array.from({ length: 64 }, () => other.open(addressOf(peer), '/test/1')))
  t.equal(opened.length, 64)
})
