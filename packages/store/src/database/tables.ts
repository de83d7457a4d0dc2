import type { JobTables } from '../migrations/0001-jobs.ts'
import type { KeyTables } from '../migrations/0002-keys.ts'
import type { LimitTables } from '../migrations/0003-limits.ts'
import type { UsageTables } from '../migrations/0004-usage.ts'
import type { WebhookTables } from '../migrations/0005-webhooks.ts'
import type { BatchTables } from '../migrations/0006-batches.ts'
import type { SubcloudTables } from '../migrations/0007-subclouds.ts'
import type { StorageTables } from '../migrations/0010-storage.ts'
import type { InviteTables } from '../migrations/0013-invites.ts'
import type { ConversationTables } from '../migrations/0014-conversations.ts'
import type { SecretTables } from '../migrations/0015-secrets.ts'

/** Every table, by feature. A feature adds its own interface here, and a migration that creates its tables. */
export interface Tables
  extends JobTables,
    KeyTables,
    LimitTables,
    UsageTables,
    WebhookTables,
    BatchTables,
    SubcloudTables,
    StorageTables,
    InviteTables,
    ConversationTables,
    SecretTables {}
