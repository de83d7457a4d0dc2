import { createHash } from 'node:crypto'
import { invalidRequest } from '@resultity/interface'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

/** The limit of OpenAI, Stripe and the IETF draft; long enough for a UUID and a name. */
const IDEMPOTENCY_KEY_CHARACTERS_MAX = 255

/** Of every endpoint that makes jobs. */
export const asyncQuerySchema = z.looseObject({
  /** `true`: answer 202 at once; the result is fetched later. */
  async: z.string().optional()
})

/** The client does not wait: `Prefer: respond-async` (RFC 7240), or `?async=true` where headers are hard to set. */
export function wantsAsync(request: FastifyRequest): boolean {
  const preferences = [request.headers.prefer ?? []].flat().flatMap(line => line.split(/[,;]/))
  if (preferences.some(one => one.trim().toLowerCase() === 'respond-async')) return true
  const { async: wanted } = asyncQuerySchema.parse(request.query)
  if (wanted === undefined || wanted === 'false' || wanted === '0') return false
  if (wanted === 'true' || wanted === '1' || wanted === '') return true
  throw invalidRequest('async', `async is "${wanted.slice(0, 32)}"`, 'Use async=true, or leave it out.')
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What the client sent, where the body names things that were made of it: what repeats a request is told by this. */
    sent?: unknown
  }
}

/**
 * The client's `Idempotency-Key`, with what was sent under it.
 * @throws MeshError `invalid_request` when it is empty or too long
 */
export function idempotencyOf(request: FastifyRequest): { key: string; bodySha256: string } | undefined {
  const key = request.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || key === '' || key.length > IDEMPOTENCY_KEY_CHARACTERS_MAX) {
    throw invalidRequest(
      'idempotency-key',
      `the Idempotency-Key has ${String(key).length} characters`,
      `Send one of 1 to ${IDEMPOTENCY_KEY_CHARACTERS_MAX} characters.`
    )
  }
  const sent = JSON.stringify([request.routeOptions.url, request.sent ?? request.body])
  return { key, bodySha256: createHash('sha256').update(sent).digest('hex') }
}
