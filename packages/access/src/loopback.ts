import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * True for addresses that only this machine reaches: `127.0.0.1`, `::1`, `localhost`. A text that could be looked up as
 * a name is not one, whatever the answer today: `127.1` and `2130706433` count as names.
 */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase()
  if (name === 'localhost') return true
  return isIP(name) !== 0 && ipaddr.process(name).range() === 'loopback'
}
