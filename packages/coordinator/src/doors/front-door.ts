import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { anonymous, type Caller, requireScope, type Scope } from './keys/caller.ts'
import { type KeyRing, refused } from './keys/key-ring.ts'
import { parseKey } from './keys/key-secret.ts'
import { presentedKey } from './keys/presented-key.ts'
import { type AdmissionRequest, type KeyLimiter, type Submitted, submitAdmitted } from './limits/key-limiter.ts'
import { isFromElsewhere } from './loopback.ts'
import { scopeOf } from './route-scope.ts'

export interface FrontDoorInit {
  /** Whether only this machine reaches the API. */
  readonly loopback: boolean
  /** The operator's word that strangers may use it. */
  readonly open: boolean
}

/** What strangers may do where the operator lets them in. */
const STRANGERS: readonly Scope[] = ['inference', 'read-usage', 'read-mesh']

/** Decides who a request is from, and whether that one may send it. */
export class FrontDoor {
  readonly #keys: KeyRing
  readonly #init: FrontDoorInit
  #lastOrigin:
    | { readonly host: string | undefined; readonly origin: string | undefined; readonly elsewhere: boolean }
    | undefined

  constructor(keys: KeyRing, init: FrontDoorInit) {
    this.#keys = keys
    this.#init = init
  }

  /**
   * @param url the route's pattern
   * @throws MeshError `unauthenticated`, `permission_denied`
   */
  async admit(url: string, headers: IncomingHttpHeaders): Promise<Caller> {
    const scope = scopeOf(url)
    if (scope === undefined) return anonymous([])
    const caller = await this.#identify(headers)
    requireScope(caller, scope)
    return caller
  }

  async #identify(headers: IncomingHttpHeaders): Promise<Caller> {
    const text = presentedKey(headers)
    const required = await this.#keys.required()
    // clients that must send something send anything: only what looks like a key of ours is meant as one
    const meant = text !== undefined && parseKey(text) !== undefined
    if (!required && this.#init.loopback) return anonymous(this.#isFromElsewhere(headers) ? STRANGERS : ['admin'])
    if (this.#init.open && !(required && meant)) return anonymous(STRANGERS)
    if (text === undefined) throw refused('this request has no API key')
    return this.#keys.verify(text)
  }

  /** Nearly every request has the headers of the one before it. */
  #isFromElsewhere({ host, origin }: IncomingHttpHeaders): boolean {
    const known = this.#lastOrigin
    if (known !== undefined && known.host === host && known.origin === origin) return known.elsewhere
    const elsewhere = isFromElsewhere({ host, origin })
    this.#lastOrigin = { host, origin, elsewhere }
    return elsewhere
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sent it; without any scope on routes that are open to everybody. */
    caller: Caller
    /**
     * Makes a job of it by `submit`, within the limits of its key. What it may take is reserved until the job ends; how
     * much is left is in the headers of the answer.
     *
     * @throws MeshError `rate_limited`, and what `submit` throws
     */
    admit<T extends Submitted>(what: AdmissionRequest, submit: () => Promise<T>): Promise<T>
  }
}

/** Has every request answered only after it was let in and counted. Call it before routes are added. */
export function guard(server: FastifyInstance, door: FrontDoor, limiter: KeyLimiter): void {
  server.decorateRequest('caller')
  server.decorateRequest('admit')
  // before parsing: after the hooks whose headers a browser needs to show a refusal to its page
  server.addHook('preParsing', async (request, reply) => {
    // there is nothing behind it: the answer is the same 404 for everybody
    const nowhere = request.is404 || request.method === 'OPTIONS'
    const { url = '' } = request.routeOptions
    request.caller = nowhere ? anonymous([]) : await door.admit(url, request.headers)
    reply.headers(await limiter.request(request.caller, url))
    request.admit = async (what, submit) => {
      const admission = await limiter.admit(request.caller, what)
      reply.headers(admission.headers)
      return await submitAdmitted(admission, submit)
    }
  })
}
