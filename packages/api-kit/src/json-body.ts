import { invalidRequest, MeshError } from '@resultity/interface'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { checkJsonShape } from './json-shape.ts'

/**
 * All bodies are JSON, whatever they are called: `curl -d` names none. An empty one is none, under any name: clients
 * send `content-type: application/json` with a cancel that has no body.
 */
export function parseJsonBodies(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error')
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    try {
      if (bytes.length === 0) return done(null, emptyBody(request))
      const text = decodeUtf8(bytes)
      checkJsonShape(text, 'the body')
      void parse(request, text, done)
    } catch (error) {
      done(MeshError.from(error))
    }
  })
}

/** @throws MeshError `invalid_request` where the route declares that it needs a body */
function emptyBody({ routeOptions }: FastifyRequest): undefined {
  const { api } = routeOptions.config
  if (api?.body === undefined || api.bodyOptional === true) return undefined
  throw invalidRequest(null, 'the body is empty', 'Send JSON.')
}

/** @throws MeshError `invalid_request` for what is not UTF-8, instead of replacing what it cannot read */
function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new MeshError('invalid_request', 'the body is not UTF-8', { hint: 'Send JSON in UTF-8.', cause })
  }
}
