import cors from '@fastify/cors'
import { MeshError } from '@resultity/interface'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isNavigation, type Origins } from './request-origin.ts'
import { scopeOf } from './route-scope.ts'

/** Headers of answers that a page's script may read. */
const EXPOSED_HEADERS = [
  'location',
  'openai-poll-after-ms',
  'request-id',
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
  'x-resultity-ignored-fields',
  'x-resultity-ignored-tools',
  'x-resultity-relaxed',
  'x-resultity-route',
  'x-should-retry'
]

const PREFLIGHT_SECONDS = 600

/**
 * Lets pages of the allowed origins and of this machine use the API, and no others. The route decides later what pages
 * of this machine may do without a key.
 *
 * A browser alone would still deliver a foreign `POST` and only hide the answer. Any page that a person visits could
 * then use the mesh on their machine. So such a request is refused.
 */
export function guardOrigins(server: FastifyInstance, origins: Origins): void {
  server.addHook('onRequest', async request => {
    if (origins.kindOf(request.headers) === 'foreign' && !isLinkToPublicPage(request)) throw foreign(request)
  })
  server.register(cors, {
    origin: (origin, answer) => answer(null, origin !== undefined && origins.mayRead(origin)),
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false
  })
}

/** A link to the documentation, from any page: it tells nothing of the mesh. */
function isLinkToPublicPage({ method, headers, routeOptions: { url } }: FastifyRequest): boolean {
  return method === 'GET' && headers.origin === undefined && isNavigation(headers) && scopeOf(url ?? '') === undefined
}

function foreign({ headers: { origin } }: FastifyRequest): MeshError {
  if (origin === undefined) {
    return new MeshError('permission_denied', 'pages of other sites may not load this', {
      hint: 'Open the address itself, or have the operator allow the page with --cors-origin ORIGIN.'
    })
  }
  const shown = origin.slice(0, 256)
  return new MeshError('permission_denied', `pages of the origin "${shown}" may not use this API`, {
    hint: `The operator allows them with --cors-origin ${/^[\x21-\x7e]+$/.test(shown) ? shown : 'ORIGIN'}.`
  })
}
