import { invalidRequest, MeshError } from '@resultity/interface'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { checkJsonShape } from './json-shape.ts'
import { parseJson } from './parse-json.ts'

/**
 * All bodies are JSON, whatever they are called: `curl -d` names none. An empty one is none, under any name: clients
 * send `content-type: application/json` with a cancel that has no body.
 */
export function parseJsonBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    try {
      if (bytes.length === 0) return done(null, emptyBody(request))
      const text = decodeUtf8(bytes)
      checkJsonShape(text, 'the body')
      done(null, parsed(text))
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

/** @throws MeshError `invalid_request` */
function parsed(text: string): unknown {
  try {
    return parseJson(text)
  } catch (cause) {
    const { message } = MeshError.from(cause)
    throw new MeshError('invalid_request', `the body is not JSON: ${message}`, { hint: 'Send valid JSON.', cause })
  }
}

/** @throws MeshError `invalid_request` for what is not UTF-8, instead of replacing what it cannot read */
function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new MeshError('invalid_request', 'the body is not UTF-8', { hint: 'Send JSON in UTF-8.', cause })
  }
}
