import { type Clock, MeshError } from '@resultity/interface'
import type { ApiKey, KeyStore } from '@resultity/store'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import { keyLimitsSchema } from '../limits/key-limits.ts'
import { type Caller, type Scope, scopes } from './caller.ts'
import { KeyLookup, type KeyLookupInit } from './key-lookup.ts'
import { hashSecret, isHash, parseKey } from './key-secret.ts'

export interface KeyVerifierComponents {
  readonly store: KeyStore
  readonly clock: Clock
  /** A clock that does not jump, for the age of cached answers. */
  readonly steady: Clock
  readonly logger: Logger
}

export interface KeyVerifierInit extends KeyLookupInit {
  /** How exact the time of a key's last use is. */
  readonly keyUseMs: number
}

/** Stands for an unknown key, so that a refusal takes the same steps whether or not the id exists. */
const NO_KEY = { secretSha256: '0'.repeat(64), previousSha256: null, previousUntilMs: null }

/** Checks keys. Answers of the store are cached for a short time. */
export class KeyVerifier implements AsyncDisposable {
  readonly #components: KeyVerifierComponents
  readonly #init: KeyVerifierInit
  readonly #lookup: KeyLookup
  /** When each key's use was last written down. */
  readonly #uses: LRUCache<string, number>
  /** Ids whose secret was shown here. */
  readonly #seen: LRUCache<string, true>
  readonly #writing = new Set<Promise<void>>()
  #required: { readonly value: Promise<boolean>; readonly atMs: number } | undefined

  constructor(components: KeyVerifierComponents, init: KeyVerifierInit) {
    this.#components = components
    this.#init = init
    this.#lookup = new KeyLookup(components.store, components.steady, init)
    this.#uses = new LRUCache({ max: init.keysCachedMax })
    this.#seen = new LRUCache({ max: init.keysCachedMax })
  }

  /** Whether keys are required: from the first key that was made, for ever. */
  async required(): Promise<boolean> {
    const now = this.#components.steady.now()
    if (this.#required === undefined || now - this.#required.atMs >= this.#init.keyCacheMs) {
      const value = this.#components.store.count().then(count => count > 0)
      this.#required = { value, atMs: now }
      value.then(
        // it will not change again
        required => {
          if (required) this.#required = { value, atMs: Number.POSITIVE_INFINITY }
        },
        () => {
          this.#required = undefined
        }
      )
    }
    return this.#required.value
  }

  /** Whether this key's secret was used here, not too long ago. */
  hasSeen(text: string): boolean {
    const id = parseKey(text)?.id
    return id !== undefined && this.#seen.has(id)
  }

  /**
   * An unknown id, a wrong secret, and a wrong secret of a revoked or expired key take the same steps: one look-up, one
   * hash, two comparisons.
   *
   * @throws MeshError `unauthenticated`, which never repeats the given text; `resource_exhausted`
   */
  async verify(text: string): Promise<Caller> {
    const parts = parseKey(text)
    if (parts === undefined) throw refused('this is not an API key of this mesh')
    const key = await this.#lookup.find(parts.id, this.#seen.has(parts.id))
    const now = this.#components.clock.now()
    const { secretSha256, previousSha256, previousUntilMs } = key ?? NO_KEY
    const given = hashSecret(parts.secret)
    const known = isHash(given, secretSha256)
    const before = isHash(given, previousSha256 ?? NO_KEY.secretSha256) && now < (previousUntilMs ?? 0)
    if (key === undefined || !(known || before)) throw refused('there is no such API key')
    // from here on the sender has shown the secret, so may know
    requireUsable(key, now)
    this.#seen.set(key.id, true)
    this.#note(key, now)
    return toCaller(key)
  }

  /**
   * The current rights of the holder of a key whose job is running.
   * @throws MeshError `unauthenticated` when the key was revoked or has expired
   */
  async holder(id: string): Promise<Caller> {
    const key = await this.#lookup.find(id, true)
    if (key === undefined) throw refused(`there is no API key ${id} any more`)
    requireUsable(key, this.#components.clock.now())
    return toCaller(key)
  }

  /** Believes nothing about this key any more; after a change, or when another coordinator made one. */
  forget(id: string): void {
    this.#lookup.forget(id)
    this.#required = undefined
  }

  /** Resolves when all uses are written down. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#writing)
  }

  #note({ id, lastUsedAtMs }: ApiKey, nowMs: number): void {
    if (nowMs - (this.#uses.get(id) ?? lastUsedAtMs ?? 0) < this.#init.keyUseMs) return
    this.#uses.set(id, nowMs)
    const writing: Promise<void> = this.#write(id, nowMs).finally(() => this.#writing.delete(writing))
    this.#writing.add(writing)
  }

  async #write(id: string, lastUsedAtMs: number): Promise<void> {
    try {
      await this.#components.store.change(id, { lastUsedAtMs })
    } catch (error) {
      // the request is good all the same
      this.#components.logger.warn({ err: error, keyId: id }, 'the last use of a key was not written down')
    }
  }
}

/** A revoked key stays so whatever the clock says. */
function requireUsable({ id, revokedAtMs, expiresAtMs }: ApiKey, nowMs: number): void {
  if (revokedAtMs !== null) throw refused(`the API key ${id} was revoked`)
  if (expiresAtMs !== null && nowMs >= expiresAtMs) throw refused(`the API key ${id} has expired`)
}

/** The reason is OpenAI's term. */
export function refused(message: string): MeshError {
  return new MeshError('unauthenticated', message, {
    hint: 'Send a key as "Authorization: Bearer rk_…"; "resultity keys create" makes one.',
    details: { reason: 'invalid_api_key' }
  })
}

function toCaller({ id, namespace, scopes: named, limits, subclouds }: ApiKey): Caller {
  const granted = scopes.filter((scope): scope is Scope => named.includes(scope))
  return {
    namespace,
    keyId: id,
    scopes: new Set(granted),
    limits: keyLimitsSchema.parse(limits),
    subclouds: subclouds === null ? undefined : new Set(subclouds)
  }
}
