import cors from '@fastify/cors'
import { MeshError } from '@resultity/interface'
import type { FastifyInstance } from 'fastify'

/** Headers of answers that a page's script may read. */
const EXPOSED_HEADERS = [
  'location',
  'openai-poll-after-ms',
  'retry-after',
  'retry-after-ms',
  'x-client-request-id',
  'x-ratelimit-limit-requests',
  'x-ratelimit-limit-tokens',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-remaining-tokens',
  'x-ratelimit-reset-requests',
  'x-ratelimit-reset-tokens',
  'x-request-id',
  'x-resultity-route',
  'x-should-retry'
]

const PREFLIGHT_SECONDS = 600
const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i

/**
 * Lets pages of the allowed origins use the API, and no others.
 *
 * A browser alone would still deliver a stranger's `POST` and only hide the answer, so that any page a person visits
 * could spend what a mesh on their machine computes: such a request is refused.
 *
 * @param allowed origins beside the server's own and those of this machine; `*` for any
 */
export function guardOrigins(server: FastifyInstance, allowed: readonly string[]): void {
  const any = allowed.includes('*')
  const isAllowed = (origin: string): boolean => any || allowed.includes(origin) || LOOPBACK_ORIGIN.test(origin)
  server.addHook('onRequest', async ({ headers }) => {
    const { origin, host } = headers
    if (origin === undefined || isAllowed(origin) || isSame(origin, host)) return
    const shown = origin.slice(0, 256)
    throw new MeshError('permission_denied', `pages of the origin "${shown}" may not use this API`, {
      hint: `The operator allows them with --cors-origin ${/^[\x21-\x7e]+$/.test(shown) ? shown : 'ORIGIN'}.`
    })
  })
  server.register(cors, {
    origin: (origin, answer) => answer(null, origin !== undefined && isAllowed(origin)),
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false
  })
}

/** Whether the page came from this very server, by any name: its docs page tries requests out. */
function isSame(origin: string, host: string | undefined): boolean {
  return host !== undefined && URL.parse(origin)?.host === host.toLowerCase()
}
