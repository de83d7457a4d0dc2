import { senderOf } from '@resultity/api-kit'
import { MeshError } from '@resultity/interface'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { anonymous, type Caller, requireScope, type Scope } from './keys/caller.ts'
import type { FailedAttempts } from './keys/failed-attempts.ts'
import { parseKey } from './keys/key-secret.ts'
import { type KeyVerifier, refused } from './keys/key-verifier.ts'
import { presentedKey } from './keys/presented-key.ts'
import { type KeyLimiter, submitAdmitted } from './limits/key-limiter.ts'
import { isLoopback } from './loopback.ts'
import { type HostNames, hostOf, hostsOf, wrongHost } from './request-host.ts'
import type { Origins } from './request-origin.ts'
import { isPlainInference, scopeOf } from './route-scope.ts'

export interface RequestGuardInit {
  /** Whether only this machine reaches the API. */
  readonly loopback: boolean
  /** Names that it answers to without a key. */
  readonly hosts: HostNames
  /** Pages that may use it. */
  readonly origins: Origins
  /** Keys that were none, by address. */
  readonly failures: FailedAttempts
  /** The operator's word that strangers may use it. */
  readonly open: boolean
}

/** Scopes of strangers, where the operator lets them in. */
const STRANGERS: readonly Scope[] = ['inference', 'read-usage', 'read-mesh']

/** Decides who a request is from, and whether that one may send it. */
export class RequestGuard {
  readonly #keys: KeyVerifier
  readonly #init: RequestGuardInit

  constructor(keys: KeyVerifier, init: RequestGuardInit) {
    this.#keys = keys
    this.#init = init
  }

  /**
   * Refuses a host name that this server does not have, to every caller that need not show a key: a page can be reached
   * by any name that leads here, but cannot be given a key.
   *
   * @throws MeshError `invalid_request` when no host is named, or several; `permission_denied` (HTTP 421)
   */
  async requireHost({ raw, headers }: FastifyRequest): Promise<void> {
    const { localAddress } = raw.socket
    const wrong = hostsOf(raw).find(host => !this.#init.hosts.allow(host, localAddress))
    if (wrong === undefined) return
    const text = presentedKey(headers)
    const meant = text !== undefined && parseKey(text) !== undefined
    if ((await this.#keys.required()) && (meant || !this.#init.open)) return
    throw wrongHost(wrong)
  }

  /** @throws MeshError `unauthenticated`, `permission_denied` */
  async admit(request: FastifyRequest): Promise<Caller> {
    const scope = scopeOf(request.routeOptions.url ?? '')
    if (scope === undefined) return anonymous([])
    const caller = await this.#identify(request)
    requireScope(caller, scope)
    return caller
  }

  async #identify(request: FastifyRequest): Promise<Caller> {
    const text = presentedKey(request.headers)
    const required = await this.#keys.required()
    // clients that must send something send anything: only what looks like a key of ours is meant as one
    const meant = text !== undefined && parseKey(text) !== undefined
    if (!required && this.#init.loopback) return this.#withoutKey(request, ['admin'])
    if (this.#init.open && !(required && meant)) return this.#withoutKey(request, STRANGERS)
    if (text === undefined) throw refused('this request has no API key')
    return this.#verify(text, senderOf(request.raw.socket.remoteAddress) ?? 'this machine')
  }

  /**
   * An address that has tried too many keys gets no further look-ups, except for keys that are in use here: a stranger
   * behind the same proxy locks nobody out.
   */
  async #verify(text: string, sender: string): Promise<Caller> {
    const { failures } = this.#init
    const over = failures.isOver(sender)
    if (over && !this.#keys.hasSeen(text)) throw failures.refusal(sender)
    try {
      return await this.#keys.verify(text)
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'unauthenticated') throw error
      failures.add(sender)
      throw over ? failures.refusal(sender) : error
    }
  }

  /** @param own scopes of a program on this machine, and of this server's own page */
  #withoutKey({ headers, method, routeOptions }: FastifyRequest, own: readonly Scope[]): Caller {
    const kind = this.#init.origins.kindOf(headers)
    if (kind === 'local' && !isPlainInference(method, routeOptions.url ?? '')) throw notForPages(headers.origin)
    const here = isLoopback(hostOf(headers.host ?? '') ?? '')
    return anonymous(here && (kind === 'none' || kind === 'same') ? own : STRANGERS)
  }
}

function notForPages(origin = ''): MeshError {
  return new MeshError('permission_denied', `without a key, pages of the origin "${origin}" may only ask models`, {
    hint: `Send a key, or have the operator allow more with --cors-origin ${origin}.`
  })
}

/** Routes that say that the process answers, and nothing else. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/health'])

/** Has every request refused that calls this server by a name of somebody else. Call it before any other hook. */
export function guardHosts(server: FastifyInstance, requestGuard: RequestGuard): void {
  server.addHook('onRequest', async request => {
    // probes of whatever runs this process call it by any name, and hear no more than that it answers
    if (!PROBES.has(request.routeOptions.url ?? '')) return requestGuard.requireHost(request)
    hostsOf(request.raw)
  })
}

/** Has every request answered only after it was let in and counted. Call it before routes are added. */
export function guard(server: FastifyInstance, requestGuard: RequestGuard, limiter: KeyLimiter): void {
  server.decorateRequest('caller')
  server.decorateRequest('admit')
  // before parsing: after the hooks whose headers a browser needs to show a refusal to its page
  server.addHook('preParsing', async (request, reply) => {
    // there is no route: the answer is the same 404 for everybody
    const nowhere = request.is404 || request.method === 'OPTIONS'
    const { url = '' } = request.routeOptions
    request.caller = nowhere ? anonymous([]) : await requestGuard.admit(request)
    reply.headers(await limiter.request(request.caller, url))
    request.admit = async (what, submit) => {
      const admission = await limiter.admit(request.caller, what)
      reply.headers(admission.headers)
      return await submitAdmitted(admission, submit)
    }
  })
}
