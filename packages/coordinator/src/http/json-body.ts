import { MeshError } from '@resultity/interface'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { invalidRequest } from './parse-body.ts'

/** Deeper than any schema of ours or tool's parameters; far less than what walks over a value by recursion can take. */
const NESTING_MAX = 64

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
      void parse(request, decodeUtf8(bytes), (error, value) => {
        if (error === null && nestsDeeper(value, NESTING_MAX)) done(tooDeep())
        else done(error, value)
      })
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

function tooDeep(): MeshError {
  return invalidRequest(null, `the body nests more than ${NESTING_MAX} levels deep`, 'Send a flatter body.')
}

/** Whether lists and objects in `value` lie in more than `max` of one another. Walks without recursion. */
export function nestsDeeper(value: unknown, max: number): boolean {
  let level = [value]
  for (let depth = 0; level.length > 0; depth++) {
    const inner = level.filter(item => typeof item === 'object' && item !== null)
    if (inner.length > 0 && depth >= max) return true
    level = inner.flatMap(item => Object.values(item as object))
  }
  return false
}
