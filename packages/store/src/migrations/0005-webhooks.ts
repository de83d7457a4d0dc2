import { type Kysely, sql } from 'kysely'
import type { JsonColumn } from '../database/json-column.ts'
import type { DialectName } from '../database/migration.ts'
import type { JsonValue } from '../job.ts'
import type { DeliveryAttempt, DeliveryState } from '../webhooks/webhook.ts'

export interface WebhookTables {
  webhook: WebhookTable
  webhook_delivery: WebhookDeliveryTable
}

export interface WebhookTable {
  id: string
  namespace: string
  url: string
  events: JsonColumn<readonly string[]>
  description: string
  secret: string
  created_at_ms: number
  failing_since_ms: number | null
  disabled_at_ms: number | null
  disabled_reason: string | null
}

export interface WebhookDeliveryTable {
  id: string
  webhook_id: string
  type: string
  subject_id: string
  data: JsonColumn<JsonValue>
  state: DeliveryState
  /** Attempts since it was last queued. */
  attempts: number
  due_at_ms: number
  log: JsonColumn<readonly DeliveryAttempt[]>
  created_at_ms: number
  ended_at_ms: number | null
}

/**
 * The database itself queues the event of a job, in the transaction that ends the job: a crash loses no delivery, and
 * none is queued twice.
 */
export async function createWebhooks(database: Kysely<unknown>, dialect: DialectName): Promise<void> {
  await database.schema
    .createTable('webhook')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('namespace', 'text', column => column.notNull())
    .addColumn('url', 'text', column => column.notNull())
    .addColumn('events', 'text', column => column.notNull())
    .addColumn('description', 'text', column => column.notNull())
    .addColumn('secret', 'text', column => column.notNull())
    .addColumn('created_at_ms', 'bigint', column => column.notNull())
    .addColumn('failing_since_ms', 'bigint')
    .addColumn('disabled_at_ms', 'bigint')
    .addColumn('disabled_reason', 'text')
    .execute()
  await database.schema
    .createTable('webhook_delivery')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('webhook_id', 'text', column => column.notNull().references('webhook.id').onDelete('cascade'))
    .addColumn('type', 'text', column => column.notNull())
    .addColumn('subject_id', 'text', column => column.notNull())
    .addColumn('data', 'text', column => column.notNull())
    .addColumn('state', 'text', column => column.notNull())
    .addColumn('attempts', 'integer', column => column.notNull())
    .addColumn('due_at_ms', 'bigint', column => column.notNull())
    .addColumn('log', 'text', column => column.notNull())
    .addColumn('created_at_ms', 'bigint', column => column.notNull())
    .addColumn('ended_at_ms', 'bigint')
    .execute()
  const statements = [
    `create index webhook_namespace on webhook (namespace, created_at_ms, id)`,
    `create unique index webhook_delivery_once on webhook_delivery (webhook_id, subject_id, type)`,
    `create index webhook_delivery_listing on webhook_delivery (webhook_id, created_at_ms, id)`,
    `create index webhook_delivery_due on webhook_delivery (webhook_id, due_at_ms) where state = 'pending'`,
    `create index webhook_delivery_ended on webhook_delivery (ended_at_ms) where ended_at_ms is not null`,
    ...(dialect === 'sqlite' ? sqliteTriggers : postgresTriggers)
  ]
  for (const statement of statements) await sql.raw(statement).execute(database)
}

const FINAL = "('succeeded', 'failed', 'cancelled', 'expired')"

/** The fields of a job that the receiver gets; it asks for the rest with a key. */
const FACTS = `'id', new.id, 'object', 'request', 'state', new.state, 'endpoint', new.endpoint,
  'created_at', new.created_at_ms / 1000, 'ended_at', new.ended_at_ms / 1000`

const COLUMNS = 'id, webhook_id, type, subject_id, data, state, attempts, due_at_ms, log, created_at_ms'

const MATCHING = `from webhook where namespace = new.namespace and disabled_at_ms is null
  and events like '%"job.' || new.state || '"%'`

const sqliteTriggers = [
  `create trigger webhook_job_end after update of state on job
   when new.hidden = 0 and new.state in ${FINAL} and old.state not in ${FINAL}
   begin
     insert into webhook_delivery (${COLUMNS})
     select 'evt_' || lower(hex(randomblob(16))), id, 'job.' || new.state, new.id, json_object(${FACTS}),
       'pending', 0, new.ended_at_ms, '[]', new.ended_at_ms
     ${MATCHING}
     on conflict do nothing;
   end`
]

const postgresTriggers = [
  `create function webhook_job_end() returns trigger language plpgsql as $$
   begin
     insert into webhook_delivery (${COLUMNS})
     select 'evt_' || replace(gen_random_uuid()::text, '-', ''), id, 'job.' || new.state, new.id,
       json_build_object(${FACTS})::text, 'pending', 0, new.ended_at_ms, '[]', new.ended_at_ms
     ${MATCHING}
     -- one that is being removed in this moment is waited for, and then not there
     for key share
     on conflict do nothing;
     return null;
   end $$`,
  `create trigger webhook_job_end after update of state on job
   for each row when (new.hidden = 0 and new.state in ${FINAL} and old.state not in ${FINAL})
   execute function webhook_job_end()`
]
