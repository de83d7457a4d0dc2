import { connect, type Socket } from 'node:net'
import { Attacker } from '../peers/attacker.ts'
import { CLOSED, SILENCE, STAGE } from '../peers/conversation.ts'
import { multiaddr } from '../peers/tcp-address.ts'
import { type Attack, runningAttack } from './attack.ts'

/** Until a connection that says nothing has to be over. */
const PATIENCE_MS = 60_000

export const silentConnections: Attack = {
  name: 'connections that say nothing, from many addresses',
  refusals: [CLOSED],
  must: [CLOSED],
  pauseMs: 250,
  async begin({ ground, nextIp }) {
    const ips = Array.from({ length: 8 }, nextIp)
    const sockets = new Set<Socket>()
    const silent = async (localAddress: string): Promise<string> => {
      const { host, port } = multiaddr(ground.crowded.multiaddrs[0] ?? '')
      const socket = connect({ host, port, localAddress })
      sockets.add(socket)
      const { promise, resolve } = Promise.withResolvers<string>()
      socket.setTimeout(PATIENCE_MS, () => resolve(SILENCE))
      // a reset is an end like any other
      socket.on('error', () => resolve(CLOSED))
      socket.on('close', () => resolve(CLOSED))
      socket.on('end', () => resolve(CLOSED))
      socket.resume()
      const seen = await promise
      sockets.delete(socket)
      socket.destroy()
      return seen
    }
    const disposable = {
      async [Symbol.asyncDispose]() {
        for (const socket of sockets) socket.destroy()
      }
    }
    return runningAttack([disposable], () => Promise.all(ips.flatMap(ip => [silent(ip), silent(ip), silent(ip)])))
  }
}

export const manyPeers: Attack = {
  name: 'more peers than strangers have room for',
  refusals: ['protocol_violation', 'peer_refused', CLOSED],
  must: ['protocol_violation'],
  pauseMs: 4_000,
  async begin({ ground, random, nextIp }) {
    const ips = [nextIp(), nextIp()]
    const start = (index: number): Promise<Attacker> => Attacker.start({ ip: ips[index % ips.length] ?? '', random })
    const peers = await Promise.all(Array.from({ length: 36 }, (_, index) => start(index)))
    return runningAttack(peers, async () => {
      const frames = [{ type: 'close' as const, session: random.bytes(16), reason: 'a word' }]
      const seen: string[] = []
      // one after the other: a node takes twenty connections of an address in a second
      for (const peer of peers) seen.push(await peer.tell(ground.crowded, STAGE, { frames }))
      return seen
    })
  }
}
