import ipaddr from 'ipaddr.js'

/** True for addresses that only this machine reaches: `127.0.0.1`, `::1`, `localhost`. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase()
  if (name === 'localhost') return true
  return ipaddr.isValid(name) && ipaddr.process(name).range() === 'loopback'
}

/**
 * Whether a request to a coordinator on loopback may have been made by a web page of somebody else: by its `Origin`, or
 * by a `Host` that a foreign name server pointed at this machine.
 */
export function isFromElsewhere(headers: {
  readonly host?: string | undefined
  readonly origin?: string | undefined
}): boolean {
  const named = hostOf(`http://${headers.host ?? ''}`)
  if (named === undefined || !isLoopback(named)) return true
  if (headers.origin === undefined) return false
  const origin = hostOf(headers.origin)
  return origin === undefined || !isLoopback(origin)
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined
}
