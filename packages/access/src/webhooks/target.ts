import { isIP } from 'node:net'
import { MeshError } from '@resultity/interface'
import { isPublicAddress } from './public-address.ts'

/** Which addresses of receivers are allowed. */
export interface TargetPolicy {
  /** Addresses inside this network, and plain HTTP. */
  readonly private: boolean
}

const URL_CHARACTERS_MAX = 2048

/**
 * Checks a receiver's URL. The addresses of its name are checked at each connection.
 * @throws MeshError `peer_refused`, naming the fault
 */
export function parseTarget(text: string, policy: TargetPolicy): URL {
  const url = text.length <= URL_CHARACTERS_MAX ? URL.parse(text) : null
  if (url === null) throw refused('it is no URL', 'Give a whole one, such as https://example.com/hook.')
  if (url.protocol !== 'https:' && !(policy.private && url.protocol === 'http:')) {
    throw refused('it is not https', HINT)
  }
  if (url.username !== '' || url.password !== '')
    throw refused('it has a password in it', 'Check the signature instead.')
  const host = hostOf(url)
  if (isIP(host) !== 0) checkAddress(host, policy)
  return url
}

/** The host, without the brackets of an IPv6 address. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '')
}

/** @throws MeshError `peer_refused` when nothing may be sent to this address */
export function checkAddress(address: string, policy: TargetPolicy): void {
  if (policy.private || isPublicAddress(address)) return
  // the address would tell a stranger about this network
  throw refused('it leads into a private network', HINT)
}

const HINT = 'Use an address on the internet, with https. The operator allows others with --webhook-private.'

function refused(why: string, hint: string): MeshError {
  return new MeshError('peer_refused', `nothing is sent to this URL: ${why}`, { hint, details: { param: 'url' } })
}
