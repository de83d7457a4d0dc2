import { MeshError } from '@resultity/interface'

/** The parts of a multiaddress over TCP. */
export interface TcpAddress {
  readonly host: string
  readonly port: number
  /** What follows the port, such as `/p2p/PEER`. */
  readonly tail: string
}

/** @throws MeshError `settings_invalid` for another kind of address */
export function multiaddr(text: string): TcpAddress {
  const [, host, port, tail = ''] = /^\/ip4\/([\d.]+)\/tcp\/(\d+)(\/.*)?$/.exec(text) ?? []
  if (host !== undefined && port !== undefined) return { host, port: Number(port), tail }
  throw new MeshError('settings_invalid', `"${text}" is no address of IPv4 and TCP`)
}
