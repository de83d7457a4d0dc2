import { subcloudNameSchema } from '@resultity/interface'
import type { ApiKey } from '@resultity/store'
import { z } from 'zod'
import { keyLimitsSchema } from '../limits/key-limits.ts'
import { DEFAULT_NAMESPACE, DEFAULT_SCOPES, scopes } from './caller.ts'

/** A name that may stand in paths, logs and tables. */
export const namespaceSchema = z
  .string('expected a namespace')
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    'a namespace is up to 63 of a-z, 0-9 and . _ -, beginning with a letter or digit'
  )

/** A label that a person writes. It has no control characters, which could forge lines of a log or a terminal. */
export const labelSchema = z
  .string()
  .max(128, '128 characters at most')
  .regex(/^\P{Cc}*$/u, 'control characters are not allowed')

const scopesSchema = z.array(z.enum(scopes)).min(1).max(scopes.length)

/** Most subclouds that one key is given by name. */
const SUBCLOUDS_MAX = 256

const subcloudsSchema = z
  .array(subcloudNameSchema)
  .max(SUBCLOUDS_MAX)
  .describe('Subclouds that the key may use and see, beside the nodes that are for everybody. Null or left out: all.')

const futureSeconds = z.int().positive().max(253_402_300_799).describe('Unix seconds; the key is refused from then on.')

export const newKeySchema = z
  .strictObject({
    name: labelSchema.default(''),
    namespace: namespaceSchema.default(DEFAULT_NAMESPACE),
    scopes: scopesSchema.default([...DEFAULT_SCOPES]),
    limits: keyLimitsSchema.default({}),
    subclouds: subcloudsSchema.nullish(),
    expires_at: futureSeconds.nullish()
  })
  .meta({ id: 'NewApiKey' })
export type NewKey = z.infer<typeof newKeySchema>

export const keyChangeSchema = z
  .strictObject({
    name: labelSchema.optional(),
    scopes: scopesSchema.optional(),
    limits: keyLimitsSchema.optional(),
    subclouds: subcloudsSchema.nullish(),
    expires_at: futureSeconds.nullish()
  })
  .meta({ id: 'ApiKeyChange' })
export type KeyChange = z.infer<typeof keyChangeSchema>

export const rotationSchema = z
  .strictObject({
    grace_seconds: z
      .int()
      .min(0)
      .max(30 * 86_400)
      .default(0)
      .describe('For how long the old secret is good as well.')
  })
  .meta({ id: 'ApiKeyRotation' })

export const apiKeySchema = z
  .object({
    id: z.string(),
    object: z.literal('api_key'),
    name: z.string(),
    namespace: z.string(),
    scopes: z.array(z.string()),
    limits: keyLimitsSchema,
    subclouds: z.array(z.string()).nullable().describe('Null: all.'),
    created_at: z.int(),
    expires_at: z.int().nullable(),
    revoked_at: z.int().nullable(),
    last_used_at: z.int().nullable()
  })
  .meta({ id: 'ApiKey' })
export type ApiKeyView = z.infer<typeof apiKeySchema>

/** The one answer that has the key itself. */
export const createdKeySchema = apiKeySchema
  .extend({ key: z.string().describe('Shown this once.') })
  .meta({ id: 'CreatedApiKey' })
export type CreatedKey = z.infer<typeof createdKeySchema>

/** A key as the API shows it: without its secret's hash. */
export function toApiKeyView(key: ApiKey): ApiKeyView {
  const seconds = (ms: number | null): number | null => (ms === null ? null : Math.floor(ms / 1000))
  return {
    id: key.id,
    object: 'api_key',
    name: key.name,
    namespace: key.namespace,
    scopes: [...key.scopes],
    limits: keyLimitsSchema.parse(key.limits),
    subclouds: key.subclouds === null ? null : [...key.subclouds],
    created_at: Math.floor(key.createdAtMs / 1000),
    expires_at: seconds(key.expiresAtMs),
    revoked_at: seconds(key.revokedAtMs),
    last_used_at: seconds(key.lastUsedAtMs)
  }
}
