import { MeshError } from '@resultity/interface'
import { scopeOf } from '@resultity/mesh'
import { hostAndPort } from './memory-addresses.ts'
import type { ConnectionEnd, NetworkHost } from './network-host.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

/** Never settles: packets go nowhere, and nobody says so. One for each dial, or it would remember all of them. */
function silence(): Promise<never> {
  return new Promise(() => {})
}

/**
 * Connects `dialler` to the host that listens at `address`, after a round trip.
 *
 * @param expected the peer that must be there; undefined: anybody
 * @returns the dialler's end. Never settles where packets go nowhere.
 * @throws MeshError `peer_refused`; Error with the reason why nobody can be reached there
 */
export async function dialIn(
  network: SimulatedNetwork,
  dialler: NetworkHost,
  address: string,
  expected: string | undefined
): Promise<ConnectionEnd> {
  const where = hostAndPort(address)
  if (where === undefined) throw new Error(`${address} is no TCP address`)
  const scope = scopeOf(address)
  if (scope === 'unusable') throw new MeshError('peer_refused', `this peer does not dial ${address}`)
  const listener = network.at(where)
  if (listener === undefined && scope !== 'loopback' && scope !== 'private') await silence()
  if (listener === undefined) {
    await dialler.scheduler.sleep(network.conditions.latencyMs(dialler.peerId, ''))
    throw new Error(`connect ECONNREFUSED ${where}`)
  }
  await there(network, dialler, listener)
  // it may have ended while we were on the way
  if (network.at(where) !== listener) throw new Error(`connect ECONNREFUSED ${where}`)
  if (expected !== undefined && listener.peerId !== expected) throw new Error(`${listener.peerId} listens there`)
  if (listener === dialler) throw new Error('it is this peer itself')
  if (!dialler.allows(listener.peerId))
    throw new MeshError('peer_refused', `this peer does not allow ${listener.peerId}`)
  if (!listener.allows(dialler.peerId)) {
    throw new MeshError('peer_refused', `${listener.peerId} closed the connection as soon as it was made`, {
      hint: 'Ask its operator to allow this peer; it may also have been stopping.'
    })
  }
  const [near, far] = network.connect(dialler, listener).ends
  listener.connected(far)
  dialler.connected(near)
  return near
}

/** To the other host and back, through what is wrong with the link. */
async function there(network: SimulatedNetwork, dialler: NetworkHost, listener: NetworkHost): Promise<void> {
  for (const [from, to] of [
    [dialler, listener],
    [listener, dialler]
  ] as const) {
    const fault = network.fault(from.peerId, to.peerId)
    if (fault === 'cut') throw new Error('connect EHOSTUNREACH')
    if (fault === 'stalled') await silence()
    await to.scheduler.sleep(network.conditions.latencyMs(from.peerId, to.peerId))
  }
}
