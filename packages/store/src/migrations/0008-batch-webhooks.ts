import { type Kysely, sql } from 'kysely'
import type { DialectName } from '../database/migration.ts'

/** Queues the event of a batch's end, in the transaction of the change, as `createWebhooks` does for a job. */
export async function createBatchWebhooks(database: Kysely<unknown>, dialect: DialectName): Promise<void> {
  for (const statement of dialect === 'sqlite' ? sqliteTriggers : postgresTriggers) {
    await sql.raw(statement).execute(database)
  }
}

const FINAL = "('completed', 'failed', 'cancelled', 'expired')"

const COLUMNS = 'id, webhook_id, type, subject_id, data, state, attempts, due_at_ms, log, created_at_ms'

/** The fields that the receiver gets; it asks for the rest with a key. */
function facts(endedAtMs: string): string {
  return `'id', new.id, 'object', 'batch', 'status', new.status, 'endpoint', new.endpoint,
    'created_at', new.created_at_ms / 1000, 'ended_at', ${endedAtMs} / 1000`
}

const MATCHING = `from webhook where namespace = new.namespace and disabled_at_ms is null
  and events like '%"batch.' || new.status || '"%'`

const SQLITE_ENDED = "json_extract(new.entered, '$.' || new.status)"

const sqliteTriggers = [
  `create trigger webhook_batch_end after update of status on batch
   when new.status in ${FINAL} and old.status not in ${FINAL}
   begin
     insert into webhook_delivery (${COLUMNS})
     select 'evt_' || lower(hex(randomblob(16))), id, 'batch.' || new.status, new.id,
       json_object(${facts(SQLITE_ENDED)}), 'pending', 0, ${SQLITE_ENDED}, '[]', ${SQLITE_ENDED}
     ${MATCHING}
     on conflict do nothing;
   end`
]

const POSTGRES_ENDED = '(new.entered::json ->> new.status)::bigint'

const postgresTriggers = [
  `create function webhook_batch_end() returns trigger language plpgsql as $$
   begin
     insert into webhook_delivery (${COLUMNS})
     select 'evt_' || replace(gen_random_uuid()::text, '-', ''), id, 'batch.' || new.status, new.id,
       json_build_object(${facts(POSTGRES_ENDED)})::text, 'pending', 0, ${POSTGRES_ENDED}, '[]', ${POSTGRES_ENDED}
     ${MATCHING}
     for key share
     on conflict do nothing;
     return null;
   end $$`,
  `create trigger webhook_batch_end after update of status on batch
   for each row when (new.status in ${FINAL} and old.status not in ${FINAL})
   execute function webhook_batch_end()`
]
