import { z } from 'zod'
import { namespaceSchema } from '../keys/key-schema.ts'

/** Dimensions that clients may sum by. */
export const usageGroupNames = ['key', 'namespace', 'model', 'endpoint', 'day', 'request'] as const
export type UsageGroupName = (typeof usageGroupNames)[number]

const MOMENT = 'expected Unix seconds, a date such as 2030-01-31, or a time such as 2030-01-31T12:00:00Z'

/** @returns Unix milliseconds */
const moment = z.string(MOMENT).transform((text, context) => {
  const ms = /^\d{1,12}$/.test(text)
    ? Number(text) * 1000
    : /^\d{4}-\d\d-\d\d/.test(text)
      ? Date.parse(text)
      : Number.NaN
  if (Number.isSafeInteger(ms)) return ms
  context.addIssue({ code: 'custom', message: MOMENT })
  return z.NEVER
})

const groups = z
  .string()
  .transform(text => text.split(',').filter(one => one !== ''))
  .pipe(z.array(z.enum(usageGroupNames)).max(usageGroupNames.length))

export const usageQuerySchema = z.looseObject({
  from: moment.optional().describe('Jobs that ended from then on: Unix seconds or a date. Default: 30 days ago.'),
  to: moment.optional().describe('Until before then. Default: now.'),
  group_by: groups.default([]).describe(`Some of ${usageGroupNames.join(', ')}, with commas between.`),
  namespace: namespaceSchema.optional().describe('Only with an admin key may it be another than the key’s own.'),
  key: z.string().max(64).optional().describe('Id of a key.'),
  model: z.string().max(1024).optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000),
  format: z.enum(['json', 'csv']).optional().describe('Default: what `Accept` prefers.')
})

export const usageSchema = z
  .object({
    object: z.literal('usage'),
    key_id: z.string().nullable().optional(),
    namespace: z.string().optional(),
    model: z.string().nullable().optional().describe('Null where a request only waited for others.'),
    subcloud: z.string().nullable().optional().describe('With `model`: where it ran, null for the general pool.'),
    endpoint: z.string().optional(),
    day: z.string().optional().describe('UTC.'),
    request_id: z.string().optional(),
    requests: z.int().describe('As clients sent them; parts of batches and ensembles count with their tokens only.'),
    failures: z.int().describe('Of these, those that failed, were cancelled or expired.'),
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    total_tokens: z.int()
  })
  .meta({ id: 'Usage' })
export type UsageView = z.infer<typeof usageSchema>

export const usageListSchema = z
  .object({
    object: z.literal('list'),
    from: z.int(),
    to: z.int(),
    data: z.array(usageSchema),
    has_more: z.boolean().describe('There are more sums than `limit`: ask for a shorter time.')
  })
  .meta({ id: 'UsageList' })
