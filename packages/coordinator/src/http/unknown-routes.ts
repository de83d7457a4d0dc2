import type { ApiRoutes } from '@resultity/api-kit'
import { MeshError } from '@resultity/interface'
import type { FastifyInstance } from 'fastify'

/** What clients of OpenAI's API and its relatives know, and a coordinator serves only where it is set up for it. */
const KNOWN: readonly (readonly [method: string, path: string])[] = [
  ['POST', '/v1/completions'],
  ['POST', '/v1/messages/batches'],
  ['POST', '/v1/responses'],
  ['POST', '/v1/responses/compact'],
  ['POST', '/v1/conversations'],
  ['GET', '/v1/conversations/{id}'],
  ['POST', '/v1/conversations/{id}'],
  ['DELETE', '/v1/conversations/{id}'],
  ['GET', '/v1/conversations/{id}/items'],
  ['POST', '/v1/conversations/{id}/items'],
  ['GET', '/v1/conversations/{id}/items/{item}'],
  ['DELETE', '/v1/conversations/{id}/items/{item}'],
  ['POST', '/v1/uploads'],
  ['POST', '/v1/images/generations'],
  ['POST', '/v1/images/edits'],
  ['POST', '/v1/images/variations'],
  ['POST', '/v1/images/description'],
  ['POST', '/v1/audio/speech'],
  ['GET', '/v1/audio/voices'],
  ['GET', '/v1/videos'],
  ['POST', '/v1/videos'],
  ['GET', '/v1/videos/{id}'],
  ['DELETE', '/v1/videos/{id}'],
  ['GET', '/v1/videos/{id}/content'],
  ['POST', '/v1/videos/{id}/remix'],
  ['POST', '/v1/videos/description']
]

/**
 * Answers what no route serves, before its body is read: 501 for what is known and not served here, 405 for a path
 * served by other methods, else 404.
 */
export function refuseUnknownRoutes(server: FastifyInstance, routes: ApiRoutes): void {
  // before parsing: after the hooks whose headers a browser needs to show the answer to its page
  server.addHook('preParsing', async (request, reply) => {
    if (!request.is404) return
    const path = routed(request.url)
    const what = `${request.method} ${path.slice(0, 256)}`
    if (KNOWN.some(([method, known]) => method === request.method && matches(known, path))) throw notServed(what)
    const methods = [...routes].filter(route => matches(route.path, path)).map(route => route.method)
    if (methods.length === 0) throw noSuchRoute(what)
    const allow = methods.flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
    reply.header('allow', allow)
    throw wrongMethod(what, allow)
  })
  // the hook has answered all there is to answer
  server.setNotFoundHandler(async request => {
    throw noSuchRoute(`${request.method} ${request.url.slice(0, 256)}`)
  })
}

/** A path as the router reads it: slashes that are doubled, and one at the end, do not count. */
function routed(url: string): string {
  const [path = ''] = url.split('?', 1)
  return path.replaceAll(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '')
}

/** Whether a concrete path is of this pattern; an id may hold anything but a slash. */
function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/')
  const parts = path.split('/')
  return wanted.length === parts.length && wanted.every((part, index) => part.startsWith('{') || part === parts[index])
}

function noSuchRoute(what: string): MeshError {
  return new MeshError('not_found', `there is no ${what}`, {
    hint: 'GET /openapi.json lists what there is.',
    details: { reason: 'unknown_url' }
  })
}

function wrongMethod(what: string, allow: string): MeshError {
  return new MeshError('not_found', `there is no ${what}`, {
    hint: `This path is served by ${allow}.`,
    details: { reason: 'method_not_allowed' }
  })
}

function notServed(what: string): MeshError {
  return new MeshError('not_implemented', `${what} is not served here`, {
    hint: 'No model or setting of this coordinator offers it; GET /openapi.json lists what there is.'
  })
}
