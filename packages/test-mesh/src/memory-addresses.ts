import { MeshError } from '@resultity/interface'
import { scopeOf } from '@resultity/mesh'
import type { NetworkHost } from './network-host.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

const MULTIADDR = /^(\/(?:ip4|ip6|dns|dns4|dns6)\/[^/]+)(?:\/(tcp|udp)\/(\d+))(?:\/p2p\/([^/]+))?$/
const PEER_ID = /^(?:12D3KooW|16Uiu2HAm|Qm)[1-9A-HJ-NP-Za-km-z]{20,60}$/

/** @throws MeshError `invalid_request` */
export function requirePeerId(text: string): void {
  if (!PEER_ID.test(text)) throw new MeshError('invalid_request', `"${text}" is not a peer id`)
}

/** @throws MeshError `settings_invalid` */
export function requireMultiaddr(text: string): void {
  if (!MULTIADDR.test(text)) throw new MeshError('settings_invalid', `"${text}" is not a multiaddr`)
}

/** The part of an address that says where, without who; undefined for one that is no TCP address. */
export function hostAndPort(address: string): string | undefined {
  const [, host, transport, port] = MULTIADDR.exec(address) ?? []
  return transport === 'tcp' ? `${host}/tcp/${port}` : undefined
}

/**
 * Listens on an address; port 0 is one that nobody has.
 * @returns the address that others dial
 * @throws MeshError `address_in_use`, `settings_invalid`
 */
export function listenOn(network: SimulatedNetwork, address: string, host: NetworkHost): string {
  const scope = scopeOf(address)
  const wanted = hostAndPort(address)
  if (wanted === undefined || (scope !== 'loopback' && scope !== 'private')) {
    throw new MeshError('settings_invalid', `cannot listen on ${address}: EADDRNOTAVAIL: address not available`)
  }
  const own = wanted.endsWith('/tcp/0') ? wanted.replace(/0$/, String(network.takePort())) : wanted
  if (network.listen(own, host)) return own
  const [, , ip, , port] = own.split('/')
  throw new MeshError('address_in_use', `another process listens on ${ip}:${port} already`, {
    hint: 'Stop that process, or choose another port to listen on; port 0 takes a free one.'
  })
}
