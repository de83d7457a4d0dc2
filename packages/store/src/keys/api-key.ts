import type { JsonValue } from '../job.ts'

/** The stored part of an API key: never the key itself. */
export interface ApiKey {
  /** Names it in lists, logs and usage; not secret. */
  readonly id: string
  /** For people. */
  readonly name: string
  readonly namespace: string
  readonly scopes: readonly string[]
  readonly limits: JsonValue
  /** Subclouds that it may use and see; null: all. */
  readonly subclouds: readonly string[] | null
  /** SHA-256 of its secret, in hexadecimal. */
  readonly secretSha256: string
  /** The secret before the last rotation, and until when that is good too. */
  readonly previousSha256: string | null
  readonly previousUntilMs: number | null
  /** Unix milliseconds, as all times. */
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
  readonly revokedAtMs: number | null
  /** Last use, to the minute or so. */
  readonly lastUsedAtMs: number | null
}

export type NewApiKey = Pick<
  ApiKey,
  'id' | 'name' | 'namespace' | 'scopes' | 'limits' | 'secretSha256' | 'createdAtMs' | 'expiresAtMs'
> &
  Partial<Pick<ApiKey, 'subclouds'>>

export type ApiKeyChange = Partial<Omit<ApiKey, 'id' | 'namespace' | 'createdAtMs'>>

export interface ApiKeyFilter {
  readonly namespace?: string
  /** Only keys after the one with this id, newest first. */
  readonly after?: string
  /** At most 1000. */
  readonly limit: number
}

/**
 * API keys. They are revoked and never removed: usage refers to them, and that there was one once means that keys are
 * asked for.
 */
export interface KeyStore {
  add(key: NewApiKey): Promise<ApiKey>
  find(id: string): Promise<ApiKey | undefined>
  /** @throws MeshError `not_found` when `filter.after` names no key */
  list(filter: ApiKeyFilter): Promise<{ readonly keys: readonly ApiKey[]; readonly hasMore: boolean }>
  /** How many keys were ever made. */
  count(): Promise<number>
  /** Undefined when there is no such key. */
  change(id: string, change: ApiKeyChange): Promise<ApiKey | undefined>
}
