import type { IncomingHttpHeaders } from 'node:http'
import { isLoopback } from './loopback.ts'

/**
 * Which page made a request, from the headers of a browser:
 *
 * - `none`     no page of another site: a program, or an address that a person typed in
 * - `same`     this server's own page
 * - `allowed`  a page of an origin that the operator named
 * - `local`    a page of another server on this machine, at another port; its owner is unknown
 * - `foreign`  any other
 */
export type OriginKind = 'none' | 'same' | 'allowed' | 'local' | 'foreign'

/** Decides by `Origin`, and where a browser does not send it, by `Sec-Fetch-Site`. */
export class Origins {
  readonly #any: boolean
  readonly #allowed: ReadonlySet<string>

  /** @param allowed origins beside the server's own; `*` for any */
  constructor(allowed: readonly string[]) {
    this.#any = allowed.includes('*')
    this.#allowed = new Set(allowed)
  }

  kindOf(headers: IncomingHttpHeaders): OriginKind {
    const { origin, host } = headers
    if (origin === undefined) return this.#withoutOrigin(headers)
    if (this.#allowed.has(origin)) return 'allowed'
    if (host !== undefined && isSameOrigin(origin, host)) return 'same'
    if (this.#any) return 'allowed'
    return isLocalOrigin(origin) ? 'local' : 'foreign'
  }

  /** Whether a page of this origin may read answers at all. */
  mayRead(origin: string): boolean {
    return this.#any || this.#allowed.has(origin) || isLocalOrigin(origin)
  }

  /** Images, scripts and links name no origin, whichever page they are on. */
  #withoutOrigin(headers: IncomingHttpHeaders): OriginKind {
    const site = headers['sec-fetch-site']
    if (site === undefined || site === 'none') return 'none'
    if (site === 'same-origin') return 'same'
    return this.#any ? 'allowed' : 'foreign'
  }
}

/** Whether a link was followed: the answer is then a page by itself, which the page with the link cannot read. */
export function isNavigation(headers: IncomingHttpHeaders): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
}

/**
 * Whether scheme, host and port are those of the request. On other machines, a proxy may stand before this server and
 * speak TLS.
 */
function isSameOrigin(origin: string, host: string): boolean {
  const asked = URL.parse(`http://${host}`)
  const page = URL.parse(origin)
  if (asked === null || page === null || page.origin === 'null') return false
  if (page.origin === asked.origin) return true
  return !isLoopback(asked.hostname) && page.origin === URL.parse(`https://${host}`)?.origin
}

function isLocalOrigin(origin: string): boolean {
  const page = URL.parse(origin)
  return page !== null && /^https?:$/.test(page.protocol) && isLoopback(page.hostname)
}
