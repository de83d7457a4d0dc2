import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { believableAddresses, type PeerScope, scopeOf } from './address-scope.ts'

/** Finds the IP addresses of a name. */
export type LookUp = (name: string) => Promise<readonly string[]>

/** Addresses of one name that are tried. */
const ADDRESSES_OF_NAME_MAX = 4

const lookUp: LookUp = async name => (await lookup(name, { all: true })).map(({ address }) => address)

/**
 * The part of the `addresses` that a peer in `scope` gives for a third peer which may be dialled: loopback only when
 * the giver is on this machine, link-local addresses and metadata services never. Names are looked up here, so that the
 * checked address is the one that is dialled. A name that is not found is left out.
 */
export async function dialableAddresses(
  addresses: readonly string[],
  scope: PeerScope,
  find: LookUp = lookUp
): Promise<string[]> {
  const believed = scope === 'this_machine' ? scope : 'private'
  const resolved = await Promise.all(
    believableAddresses(addresses, believed).map(address =>
      scopeOf(address) === 'name' ? resolveName(address, find) : [address]
    )
  )
  return believableAddresses(resolved.flat(), believed)
}

async function resolveName(address: string, find: LookUp): Promise<string[]> {
  const [host, ...rest] = multiaddr(address).getComponents()
  if (host?.value === undefined || host.name === 'dnsaddr') return []
  const tail = rest.map(({ name, value }) => `/${name}/${value ?? ''}`).join('')
  try {
    const found = await find(host.value)
    const wanted = found.filter(ip => (host.name === 'dns4' ? !isIPv6(ip) : host.name === 'dns6' ? isIPv6(ip) : true))
    return wanted.slice(0, ADDRESSES_OF_NAME_MAX).map(ip => `/${isIPv6(ip) ? 'ip6' : 'ip4'}/${ip}${tail}`)
  } catch {
    // a name that is not known is an address less
    return []
  }
}
