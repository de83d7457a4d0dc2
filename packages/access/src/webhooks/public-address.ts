import ipaddr from 'ipaddr.js'

/** Public by their number, and answering only to machines of their cloud. */
const INNER: ReadonlySet<string> = new Set(['168.63.129.16'])

/** All that IPv6 has assigned to the internet; beyond it are old ways of writing IPv4, `::7f00:1` for 127.0.0.1. */
const GLOBAL_V6 = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * True for an address that is the same machine from anywhere on the internet. Loopback, private and link-local
 * networks, metadata services of clouds, and every address inside another kind of address are not.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  // `::ffff:10.0.0.1` is 10.0.0.1
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv6' && !parsed.match(GLOBAL_V6)) return false
  return parsed.range() === 'unicast' && !INNER.has(parsed.toString())
}
