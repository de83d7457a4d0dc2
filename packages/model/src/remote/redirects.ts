import { isIP } from 'node:net'
import { MeshError } from '@resultity/interface'

export interface RedirectedRequest {
  readonly signal: AbortSignal
  readonly headers: Readonly<Record<string, string>>
  /** Headers for the first host alone. */
  readonly secret: Readonly<Record<string, string>>
  /** Called with each answer of the first host. */
  onAnswer?(response: Response): void
}

export interface RedirectedAnswer {
  readonly response: Response
  /** Whether the first host gave it: what another one refuses says nothing of who may read the file. */
  readonly own: boolean
}

/** From a hub to where it keeps the file is one; two where it was renamed. */
const REDIRECTS_MAX = 5

/**
 * `fetch` that goes where a hub sends it: to its own pages, and over TLS to hosts with a name. Thus a hub cannot have this
 * machine ask what is beside it.
 *
 * @throws MeshError `model_unavailable` for another target, and for too many
 */
export async function followRedirects(url: string, request: RedirectedRequest): Promise<RedirectedAnswer> {
  const { signal, headers, secret, onAnswer } = request
  const { origin } = new URL(url)
  let target = new URL(url)
  for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
    const own = target.origin === origin
    const response = await fetch(target, {
      signal,
      redirect: 'manual',
      headers: own ? { ...headers, ...secret } : headers
    })
    if (own) onAnswer?.(response)
    const location = response.headers.get('location')
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return { response, own }
    await response.body?.cancel()
    target = redirectTarget(location, target, origin)
  }
  throw new MeshError('model_unavailable', `${origin} sends from page to page without end`)
}

function redirectTarget(location: string, from: URL, origin: string): URL {
  const target = URL.canParse(location, from) ? new URL(location, from) : undefined
  if (target?.origin === origin) return target
  // a name may end with the dot of the root
  const host = target?.hostname.replace(/^\[|\]$|\.$/g, '') ?? ''
  const named = isIP(host) === 0 && host.includes('.') && !/(^|\.)(localhost|local|internal)$/.test(host)
  if (target?.protocol === 'https:' && named && target.username === '') return target
  throw new MeshError('model_unavailable', `${origin} sends elsewhere: ${location.slice(0, 200)}`, {
    hint: 'A hub may send to its own pages, or by https to a host with a name. Set another hub with --hub.'
  })
}
