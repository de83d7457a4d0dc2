import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** Enough that two keys never share an id. */
const ID_BYTES = 8

/** 256 bits from the system's generator: too many to guess. */
const SECRET_BYTES = 32

const KEY = /^rk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/

/** The two parts of a key. The id may be shown and logged; the secret is shown once and never kept. */
export interface KeyParts {
  readonly id: string
  readonly secret: string
}

export function newKeyId(): string {
  return randomBytes(ID_BYTES).toString('hex')
}

export function newKeySecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url')
}

/** `rk_<id>_<secret>`: the prefix lets scanners find one that leaked. */
export function formatKey({ id, secret }: KeyParts): string {
  return `rk_${id}_${secret}`
}

/** Undefined for text that is not one of our keys. */
export function parseKey(text: string): KeyParts | undefined {
  const [, id, secret] = KEY.exec(text) ?? []
  return id === undefined || secret === undefined ? undefined : { id, secret }
}

/**
 * The stored form of a secret: its SHA-256 in hexadecimal. A slow hash protects passwords that people invent. Random
 * 256-bit strings are too many to try, so a slow hash would only make every request slow.
 */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** Whether a secret is the one of this hash. */
export function isSecret(secret: string, sha256: string): boolean {
  return isHash(hashSecret(secret), sha256)
}

/** Compares two hashes in the same time whatever the difference is. */
export function isHash(given: string, stored: string): boolean {
  const [one, other] = [Buffer.from(given, 'hex'), Buffer.from(stored, 'hex')]
  return one.length === other.length && timingSafeEqual(one, other)
}
