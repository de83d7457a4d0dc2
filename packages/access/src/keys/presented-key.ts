import type { IncomingHttpHeaders } from 'node:http'
import { parseKey } from './key-secret.ts'

const BEARER = /^Bearer +(\S+) *$/i

/**
 * The key of a request: `Authorization: Bearer KEY` or `x-api-key: KEY`. Some clients send both, and one of them is a
 * placeholder; the one in our format counts.
 */
export function presentedKey(headers: IncomingHttpHeaders): string | undefined {
  const bearer = BEARER.exec(headers.authorization ?? '')?.[1]
  const header = headers['x-api-key']
  const given = [bearer, typeof header === 'string' ? header.trim() : undefined].filter(text => text)
  return given.find(text => text !== undefined && parseKey(text) !== undefined) ?? given[0]
}
