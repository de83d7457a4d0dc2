import { finished, type Readable, Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { MeshError } from '@resultity/interface'
import type { FastifyInstance, FastifyRequest, RequestPayload } from 'fastify'
import { bodyTooLarge } from './error-reply.ts'

/** Inflated at once; zlib works beside the event loop. */
const CHUNK_BYTES = 65_536

const inflaters = {
  gzip: () => createGunzip({ chunkSize: CHUNK_BYTES }),
  deflate: () => createInflate({ chunkSize: CHUNK_BYTES }),
  br: () =>
    createBrotliDecompress({ chunkSize: CHUNK_BYTES, params: { [constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 0 } })
} as const

type Encoding = keyof typeof inflaters

/** What `accept-encoding` says of bodies that are taken. */
const TAKEN = Object.keys(inflaters).join(', ')

/**
 * Takes bodies that are compressed. A body counts with its inflated bytes, and no more of it is inflated than the limit.
 * Call it after the hooks that refuse requests before their bodies are read.
 *
 * @param bytesMax as the server's limit of bodies
 */
export function inflateBodies(server: FastifyInstance, bytesMax: number): void {
  server.addHook('preParsing', async (request, _reply, payload) => {
    const encoding = encodingOf(request)
    return encoding === undefined ? payload : inflated(payload, encoding, bytesMax)
  })
}

/** @throws MeshError `invalid_request` (415) for an encoding that is not taken here */
function encodingOf({ headers, method, routeOptions }: FastifyRequest): Encoding | undefined {
  const name = headers['content-encoding']?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity' || method === 'GET' || method === 'HEAD') return undefined
  const known = name === 'x-gzip' ? 'gzip' : name
  if (routeOptions.config.api?.bodyType === 'multipart/form-data') {
    throw notTaken('forms are not taken compressed', 'Send it as it is.', 'identity')
  }
  if (isEncoding(known)) return known
  const shown = JSON.stringify(name.slice(0, 64))
  throw notTaken(`bodies with the content-encoding ${shown} are not taken`, `Use one of ${TAKEN}, or none.`, TAKEN)
}

function isEncoding(name: string): name is Encoding {
  return Object.hasOwn(inflaters, name)
}

function notTaken(message: string, hint: string, accepted: string): MeshError {
  return new MeshError('invalid_request', message, {
    hint,
    details: { param: 'content-encoding', reason: 'unsupported_content_encoding', acceptEncoding: accepted }
  })
}

/** What a payload inflates to. It fails once that is more than `bytesMax`, and then nothing more is inflated. */
function inflated(payload: RequestPayload, encoding: Encoding, bytesMax: number): RequestPayload {
  const inflater = inflaters[encoding]()
  let bytes = 0
  const body = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length
      if (bytes > bytesMax) done(bodyTooLarge())
      else done(null, chunk)
    }
  })
  let sent = 0
  payload.on('data', (chunk: Buffer) => {
    sent += chunk.length
    // some compressed bytes stand for none
    if (sent > bytesMax) body.destroy(bodyTooLarge())
  })
  inflater.on('error', cause => body.destroy(notInflatable(encoding, cause)))
  finished(payload, { writable: false }, error => {
    if (error) body.destroy(error)
  })
  // a request that is answered without its body has nobody who hears that this is wrong
  body.on('error', () => {})
  body.on('close', () => {
    payload.unpipe(inflater)
    inflater.destroy()
    // what is still on its way has to go somewhere, or the client never reads why
    payload.resume()
  })
  payload.pipe(inflater).pipe(body)
  return Object.defineProperty(body, 'receivedEncodedLength', { get: () => sent }) as Readable
}

function notInflatable(encoding: Encoding, cause: Error): MeshError {
  return new MeshError('invalid_request', `the body is not valid ${encoding}: ${cause.message}`, {
    hint: 'Send it whole, in the encoding that content-encoding names.',
    cause
  })
}
