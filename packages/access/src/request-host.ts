import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { invalidRequest, MeshError } from '@resultity/interface'
import ipaddr from 'ipaddr.js'
import { isLoopback } from './loopback.ts'

/** A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port. Nothing that a URL could hide more in. */
const AUTHORITY = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::\d{1,5})?$/i

/** `http://host:port/…` as a request's target: what proxies are sent. */
const ABSOLUTE_TARGET = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i

const SHOWN_CHARACTERS_MAX = 128

/** The host of an authority without brackets, trailing dot or port; undefined for text that is not a host. */
export function hostOf(authority: string): string | undefined {
  const host = AUTHORITY.exec(authority)?.[1]
  if (host === undefined) return undefined
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  if (host.startsWith('[') && isIP(bare) !== 6) return undefined
  return bare.replace(/\.$/, '')
}

/** `::ffff:10.0.0.1` and `fe80::1%eth0` are 10.0.0.1 and fe80::1. */
function canonical(host: string): string {
  const bare = host.replace(/%.*$/, '')
  return isIP(bare) === 0 ? bare : ipaddr.process(bare).toString()
}

/**
 * The names that a coordinator answers to: this machine's own, the address that the client connected to, and names that
 * the operator gave. A foreign name server can point any other name here, and a browser then takes the page of that
 * name and this API for the same site (DNS rebinding).
 */
export class HostNames {
  readonly #any: boolean
  readonly #named: ReadonlySet<string>

  /** @param named as the operator wrote them, without ports; `*` for any */
  constructor(named: readonly string[]) {
    this.#any = named.includes('*')
    this.#named = new Set(named.map(name => canonical(hostOf(name) ?? hostOf(`[${name}]`) ?? name.toLowerCase())))
  }

  /** @param localAddress the end of the connection that is here */
  allow(authority: string, localAddress: string | undefined): boolean {
    const host = hostOf(authority)
    if (host === undefined) return false
    if (this.#any || isLoopback(host)) return true
    const name = canonical(host)
    if (this.#named.has(name)) return true
    return isIP(name) !== 0 && localAddress !== undefined && name === canonical(localAddress)
  }
}

/**
 * Every name that a request gives for this server: in `Host`, and in a target with a host. Headers of proxies, such as
 * `X-Forwarded-Host`, do not count: anybody can send them.
 *
 * @throws MeshError `invalid_request` for a request that names none, or several
 */
export function hostsOf({ rawHeaders, url = '/' }: IncomingMessage): readonly string[] {
  const hosts = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'host')
  if (hosts.length > 1) throw invalidRequest(null, 'the request names several hosts', 'Send one "Host" header.')
  if (hosts.length === 0) throw invalidRequest(null, 'the request names no host')
  const [, target] = ABSOLUTE_TARGET.exec(url) ?? []
  return target === undefined ? hosts : [...hosts, target]
}

/** This server does not answer for that name. */
export function wrongHost(authority: string): MeshError {
  const host = hostOf(authority)
  const shown = host?.slice(0, SHOWN_CHARACTERS_MAX) ?? ''
  const what = host === undefined ? 'the "Host" of this request is no host' : `the host "${shown}" is not served here`
  return new MeshError('permission_denied', `${what}, and the request has no API key`, {
    hint: `Use this machine's own address, or send a key. The operator allows names with --allowed-host ${shown || 'NAME'}.`,
    details: { reason: 'host_not_allowed' }
  })
}
