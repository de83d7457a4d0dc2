import type { Migration } from '../database/migration.ts'
import { createJobs } from './0001-jobs.ts'
import { createKeys } from './0002-keys.ts'
import { createLimits } from './0003-limits.ts'
import { createUsage } from './0004-usage.ts'
import { createWebhooks } from './0005-webhooks.ts'
import { createBatches } from './0006-batches.ts'
import { createSubclouds } from './0007-subclouds.ts'
import { createBatchWebhooks } from './0008-batch-webhooks.ts'
import { createHandedBack } from './0009-handed-back.ts'
import { createStorage } from './0010-storage.ts'
import { createPoison } from './0011-poison.ts'
import { createMetadata } from './0012-metadata.ts'
import { createInvites } from './0013-invites.ts'
import { createConversations } from './0014-conversations.ts'
import { createSecrets } from './0015-secrets.ts'

/** By name, run in the order of the names. One that was released is never changed and never renamed. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-jobs': createJobs,
  '0002-keys': createKeys,
  '0003-limits': createLimits,
  '0004-usage': createUsage,
  '0005-webhooks': createWebhooks,
  '0006-batches': createBatches,
  '0007-subclouds': createSubclouds,
  '0008-batch-webhooks': createBatchWebhooks,
  '0009-handed-back': createHandedBack,
  '0010-storage': createStorage,
  '0011-poison': createPoison,
  '0012-metadata': createMetadata,
  '0013-invites': createInvites,
  '0014-conversations': createConversations,
  '0015-secrets': createSecrets
}
