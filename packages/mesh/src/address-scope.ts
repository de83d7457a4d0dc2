import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'

/**
 * From where an address can be reached.
 *
 * - `loopback`  this machine only
 * - `private`   one site: RFC 1918, carrier-grade NAT, unique local
 * - `public`    the internet
 * - `name`      a DNS name: known once it is looked up
 * - `unusable`  nothing may be dialled there: link-local (cloud metadata services among it), unspecified, multicast,
 *   reserved, a transport that is not TCP, or no address at all
 */
export type AddressScope = 'loopback' | 'private' | 'public' | 'name' | 'unusable'

/** Where a peer was seen by whom it connected to. */
export type PeerScope = 'this_machine' | 'private' | 'public'

/** Addresses of one peer that are dialled, or handed on. */
export const PEER_ADDRESSES_MAX = 8

const LOOPBACK = subnets(['127.0.0.0', 8], ['::1', 128])
const PRIVATE = subnets(['10.0.0.0', 8], ['172.16.0.0', 12], ['192.168.0.0', 16], ['100.64.0.0', 10], ['fc00::', 7])
const UNUSABLE = subnets(
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['100.100.100.200', 32], // metadata service of a cloud inside the shared range
  ['192.0.0.0', 24],
  ['224.0.0.0', 3], // multicast, reserved, broadcast
  ['::', 128],
  ['64:ff9b::', 96], // IPv4 behind NAT64
  ['2002::', 16], // IPv4 behind 6to4
  ['fe80::', 10],
  ['ff00::', 8],
  ['fd00:ec2::', 32] // metadata service of a cloud
)

const NAMES: ReadonlySet<string> = new Set(['dns', 'dns4', 'dns6', 'dnsaddr'])
/** The part that may follow the host in an address to dial. */
const TRANSPORT = /^\/tcp\/\d+(\/p2p\/[^/]+)?$/

/** The scope of a multiaddr, as text or parsed. */
export function scopeOf(address: string | Multiaddr): AddressScope {
  const parsed = parse(address)
  const [host] = parsed?.getComponents() ?? []
  if (parsed === undefined || host?.value === undefined) return 'unusable'
  if (!TRANSPORT.test(withoutHost(parsed))) return 'unusable'
  return NAMES.has(host.name) ? 'name' : scopeOfIp(host.value)
}

/** The scope of an IP address. */
export function scopeOfIp(text: string): Exclude<AddressScope, 'name'> {
  const ip = unmapped(text)
  const version = isIP(ip)
  if (version === 0) return 'unusable'
  const family = version === 4 ? 'ipv4' : 'ipv6'
  if (UNUSABLE.check(ip, family)) return 'unusable'
  if (LOOPBACK.check(ip, family)) return 'loopback'
  return PRIVATE.check(ip, family) ? 'private' : 'public'
}

/** The IP address at the start of a multiaddr, IPv4 as such where it is mapped into IPv6. */
export function ipOf(address: string | Multiaddr): string | undefined {
  const [host] = parse(address)?.getComponents() ?? []
  if (host?.value === undefined || isIP(host.value) === 0) return undefined
  return unmapped(host.value)
}

/** Where the other end of a connection is, by its address. */
export function peerScopeOf(remoteAddr: string | Multiaddr): PeerScope {
  const ip = ipOf(remoteAddr)
  if (ip === undefined) return 'public'
  const scope = scopeOfIp(ip)
  if (scope === 'loopback' || isOwn(ip)) return 'this_machine'
  return scope === 'private' ? 'private' : 'public'
}

/**
 * The part of a peer's own `addresses` that is plausible for a peer in `scope`: loopback only on this machine,
 * addresses of a site only within the site, link-local addresses and metadata services never.
 */
export function believableAddresses(addresses: readonly string[], scope: PeerScope): string[] {
  const allowed = addresses.filter(address => {
    const own = scopeOf(address)
    if (own === 'loopback') return scope === 'this_machine'
    if (own === 'private') return scope !== 'public'
    return own !== 'unusable'
  })
  return [...new Set(allowed)].slice(0, PEER_ADDRESSES_MAX)
}

function isOwn(ip: string): boolean {
  return Object.values(networkInterfaces()).some(addresses => addresses?.some(({ address }) => address === ip))
}

function parse(address: string | Multiaddr): Multiaddr | undefined {
  if (typeof address !== 'string') return address
  try {
    return multiaddr(address)
  } catch {
    return undefined
  }
}

function withoutHost(address: Multiaddr): string {
  return address
    .getComponents()
    .slice(1)
    .map(({ name, value }) => `/${name}/${value ?? ''}`)
    .join('')
}

/** `::ffff:192.0.2.1` is 192.0.2.1, however it is written. */
function unmapped(ip: string): string {
  if (isIP(ip) !== 6) return ip
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1]
  if (mapped !== undefined) return mapped
  const hex = /^(?:0{0,4}:){0,5}:?ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(ip)
  if (hex === null) return ip
  const [high, low] = [Number.parseInt(hex[1] ?? '', 16), Number.parseInt(hex[2] ?? '', 16)]
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}

function subnets(...nets: readonly (readonly [address: string, prefix: number])[]): BlockList {
  const list = new BlockList()
  for (const [address, prefix] of nets) list.addSubnet(address, prefix, isIP(address) === 4 ? 'ipv4' : 'ipv6')
  return list
}

/** Where a peer was seen by a third one that both are connected to. */
export interface SeenPeer {
  readonly scope: PeerScope
  /** IP address that it connected from. */
  readonly ip: string | undefined
}

export function seenFrom(remoteAddr: string): SeenPeer {
  return { scope: peerScopeOf(remoteAddr), ip: ipOf(remoteAddr) }
}

/**
 * The part of one peer's `addresses` that another peer is told: addresses of a machine only on that machine, addresses
 * of a site only within the site. Peers with the same public address are in one site.
 */
export function addressesBetween(addresses: readonly string[], of: SeenPeer, to: SeenPeer): string[] {
  const sameMachine = of.scope === 'this_machine' && to.scope === 'this_machine'
  const sameSite = (of.scope !== 'public' && to.scope !== 'public') || (of.ip !== undefined && of.ip === to.ip)
  return believableAddresses(addresses, sameMachine ? 'this_machine' : sameSite ? 'private' : 'public')
}
