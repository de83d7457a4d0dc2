import { type Clock, invalidRequest, MeshError } from '@resultity/interface'
import type { ApiKeyChange, ApiKeyFilter, KeyStore } from '@resultity/store'
import { type ApiKeyView, type CreatedKey, type KeyChange, type NewKey, toApiKeyView } from './key-schema.ts'
import { formatKey, hashSecret, newKeyId, newKeySecret } from './key-secret.ts'

export interface KeyServiceComponents {
  readonly store: KeyStore
  readonly clock: Clock
  /** Called with the id of every changed key. */
  readonly onChange?: (id: string) => void
}

/** Nobody would look through more. */
const KEYS_MAX = 100_000

/** Makes and changes keys. */
export class KeyService {
  readonly #components: KeyServiceComponents

  constructor(components: KeyServiceComponents) {
    this.#components = components
  }

  /** @throws MeshError `invalid_request` when the key could not be used, or would lock out every administrator */
  async create({ name, namespace, scopes, limits, subclouds, expires_at }: NewKey): Promise<CreatedKey> {
    const { store, clock } = this.#components
    const count = await store.count()
    if (count === 0 && !scopes.includes('admin')) {
      throw invalidRequest('scopes', 'the first key must have the scope "admin", or nobody could make another', ADMIN)
    }
    if (count >= KEYS_MAX) throw new MeshError('resource_exhausted', `there are ${count} keys, ${KEYS_MAX} may be`)
    const parts = { id: newKeyId(), secret: newKeySecret() }
    const key = await store.add({
      id: parts.id,
      name,
      namespace,
      scopes: [...new Set(scopes)],
      limits,
      subclouds: subclouds ?? null,
      secretSha256: hashSecret(parts.secret),
      createdAtMs: clock.now(),
      expiresAtMs: this.#expiry(expires_at ?? null)
    })
    this.#components.onChange?.(key.id)
    return { ...toApiKeyView(key), key: formatKey(parts) }
  }

  async list(filter: ApiKeyFilter): Promise<{ readonly keys: readonly ApiKeyView[]; readonly hasMore: boolean }> {
    const { keys, hasMore } = await this.#components.store.list(filter)
    return { keys: keys.map(toApiKeyView), hasMore }
  }

  /** @throws MeshError `not_found` */
  async find(id: string): Promise<ApiKeyView> {
    const key = await this.#components.store.find(id)
    if (key === undefined) throw noSuchKey(id)
    return toApiKeyView(key)
  }

  /** @throws MeshError `not_found`, `invalid_request` */
  async change(id: string, { name, scopes, limits, subclouds, expires_at }: KeyChange): Promise<ApiKeyView> {
    return this.#change(id, {
      ...(name === undefined ? {} : { name }),
      ...(scopes === undefined ? {} : { scopes: [...new Set(scopes)] }),
      ...(limits === undefined ? {} : { limits }),
      ...(subclouds === undefined ? {} : { subclouds }),
      ...(expires_at === undefined ? {} : { expiresAtMs: this.#expiry(expires_at) })
    })
  }

  /** Ends a key for good. Revoking it again changes nothing. @throws MeshError `not_found` */
  async revoke(id: string): Promise<ApiKeyView> {
    const key = await this.find(id)
    if (key.revoked_at !== null) return key
    return this.#change(id, { revokedAtMs: this.#components.clock.now() })
  }

  /**
   * Gives a key a new secret; the old one ends at once, or after a time of grace.
   * @throws MeshError `not_found`; `invalid_request` when the key was revoked
   */
  async rotate(id: string, graceMs: number): Promise<CreatedKey> {
    const key = await this.#components.store.find(id)
    if (key === undefined) throw noSuchKey(id)
    if (key.revokedAtMs !== null) throw invalidRequest(null, `the key ${id} was revoked`, 'Create a new one.')
    const secret = newKeySecret()
    const changed = await this.#change(id, {
      secretSha256: hashSecret(secret),
      previousSha256: graceMs > 0 ? key.secretSha256 : null,
      previousUntilMs: graceMs > 0 ? this.#components.clock.now() + graceMs : null
    })
    return { ...changed, key: formatKey({ id, secret }) }
  }

  async #change(id: string, change: ApiKeyChange): Promise<ApiKeyView> {
    const key = await this.#components.store.change(id, change)
    if (key === undefined) throw noSuchKey(id)
    this.#components.onChange?.(id)
    return toApiKeyView(key)
  }

  #expiry(seconds: number | null): number | null {
    if (seconds === null) return null
    if (seconds * 1000 > this.#components.clock.now()) return seconds * 1000
    throw invalidRequest('expires_at', 'expires_at is in the past', 'Give a time to come, in Unix seconds.')
  }
}

const ADMIN = 'Create an admin key first: "resultity keys create --admin".'

function noSuchKey(id: string): MeshError {
  return new MeshError('not_found', `there is no key ${JSON.stringify(id.slice(0, 64))}`, {
    hint: '"resultity keys list" shows those that there are.'
  })
}
