export * from './batches/batch.ts'
export { DatabaseBatchStore } from './batches/database-batch-store.ts'
export {
  type DatabaseInit,
  openDatabase,
  type PostgresInit,
  type SqliteInit,
  type StoreDatabase
} from './database/database.ts'
export { decodeJson, encodeJson, type JsonColumn } from './database/json-column.ts'
export { MemoryDisk, type MemoryInit } from './database/sqlite-memory.ts'
export { isUniqueViolation, StatementError } from './database/statement-error.ts'
export type { Tables } from './database/tables.ts'
export { DatabaseFileStore } from './files/database-file-store.ts'
export * from './files/stored-file.ts'
export * from './invites/invite-store.ts'
export * from './job.ts'
export * from './job-lanes.ts'
export * from './job-store.ts'
export { type JobStoreInit, openJobStore } from './jobs/open-job-store.ts'
export * from './keys/api-key.ts'
export { DatabaseKeyStore } from './keys/database-key-store.ts'
export { type OpenCount, OpenJobs } from './limits/open-jobs.ts'
export { type CounterReading, type WindowCounters, windowCounters } from './limits/window-counters.ts'
export { openStore, type StoreInit } from './open-store.ts'
export { SecretStore } from './secrets/secret-store.ts'
export { type ByteReservation, NamespaceBytes } from './storage/byte-reservations.ts'
export { type StoredSubcloud, SubcloudStore } from './subclouds/subcloud-store.ts'
export { type UsageFilter, type UsageGroup, UsageLedger, type UsageSum, usageGroups } from './usage/usage-ledger.ts'
export {
  type DeliveryOutcome,
  type DeliveryPage,
  DeliveryQueue,
  type DeliveryRequest
} from './webhooks/delivery-queue.ts'
export * from './webhooks/webhook.ts'
export { WebhookStore } from './webhooks/webhook-store.ts'
