import { type LookupAddress, lookup } from 'node:dns'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { promisify } from 'node:util'
import { type AbortOptions, MeshError, withDeadline } from '@resultity/interface'
import { checkAddress, parseTarget, type TargetPolicy } from './target.ts'

/** Finds the addresses of a name. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>

const lookupAll = promisify(lookup)

/** Limit of an answer's headers; only its status is used. */
const HEADER_BYTES_MAX = 16 * 1024

/** Resolves names as every program of this machine does. */
export const systemResolve: Resolve = host => lookupAll(host, { all: true })

export interface PostInit extends TargetPolicy {
  /** Time from the start to the end of the answer. */
  readonly timeoutMs: number
  /** Largest answer that is read; a longer one is cut off. */
  readonly answerBytesMax: number
  readonly resolve: Resolve
}

/**
 * Sends a body by POST. Redirects are not followed. A name is resolved once, for the connection itself, so that the
 * checked address is the one that is connected to.
 *
 * @returns the status of the answer
 * @throws MeshError `peer_refused`, `peer_unreachable`, `deadline_exceeded`; the signal's reason
 */
export async function post(
  target: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  init: PostInit,
  options: AbortOptions = {}
): Promise<number> {
  const url = parseTarget(target, init)
  const sendWithin = async (signal: AbortSignal): Promise<number> => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const request = send(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      // a connection that is kept open would outlive its check
      agent: false,
      maxHeaderSize: HEADER_BYTES_MAX,
      lookup: checkedLookup(init),
      signal
    })
    refuseInnerPeers(request, init)
    request.end(body)
    try {
      return await answerOf(request, init.answerBytesMax)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof MeshError) throw error
      throw new MeshError('peer_unreachable', `the receiver cannot be reached: ${reasonOf(error)}`, { cause: error })
    }
  }
  return withDeadline('the receiver', init.timeoutMs, sendWithin, options)
}

/** A name of which only one address leads inside is refused as a whole: the next connection might take that one. */
function checkedLookup(init: PostInit): LookupFunction {
  return (host, { all }, callback) => {
    init.resolve(host).then(
      found => {
        // read once: the addresses checked below are those that are connected to
        const addresses = found.map(({ address, family }) => ({ address, family }))
        try {
          for (const { address } of addresses) checkAddress(address, init)
        } catch (error) {
          return callback(MeshError.from(error), '', 0)
        }
        const [first] = addresses
        if (first === undefined) return callback(new Error('the name has no address'), '', 0)
        return all === true ? callback(null, addresses) : callback(null, first.address, first.family)
      },
      (error: Error) => callback(error, '', 0)
    )
  }
}

/** Once more on the connection itself, whatever led to it: addresses in URLs are never looked up. */
function refuseInnerPeers(request: ClientRequest, init: PostInit): void {
  request.on('socket', socket => {
    socket.once('connect', () => {
      try {
        checkAddress(socket.remoteAddress ?? '', init)
      } catch (error) {
        request.destroy(MeshError.from(error))
      }
    })
  })
}

async function answerOf(request: ClientRequest, bytesMax: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  request.on('error', reject)
  request.on('response', (response: IncomingMessage) => {
    let bytes = 0
    const done = (): void => resolve(response.statusCode ?? 0)
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= bytesMax) return
      done()
      response.destroy()
    })
    response.on('end', done)
    response.on('error', reject)
  })
  return promise
}

/** Only the error's code: messages of the system contain addresses. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return 'the connection broke'
}
