import type { StoreDatabase } from '../database/database.ts'
import type { JobStore } from '../job-store.ts'
import type { JobLimits } from './job-change.ts'
import { PostgresJobStore } from './postgres-job-store.ts'
import { SqliteJobStore } from './sqlite-job-store.ts'

/** A job that was there by chance when its coordinator ended is tried again twice. */
const DEFAULT_INTERRUPTIONS_MAX = 3

export interface JobStoreInit extends Partial<JobLimits> {
  /**
   * Attempts of one job that may end with their coordinator's process. Then the job fails with `interrupted_too_often`,
   * because it may be the cause. Default 3.
   */
  readonly interruptionsMax?: number
  /** Limit of stored bytes of each namespace: bodies, logs and results of jobs, and files. Default: no limit. */
  readonly namespaceBytesMax?: number
}

/** The jobs of a database. The database must stay open while the store is used; the caller that opened it closes it. */
export async function openJobStore(database: StoreDatabase, init: JobStoreInit = {}): Promise<JobStore> {
  const { namespaceBytesMax = Number.MAX_SAFE_INTEGER, interruptionsMax = DEFAULT_INTERRUPTIONS_MAX } = init
  const limits = { ...init, interruptionsMax }
  return database.dialect === 'sqlite'
    ? SqliteJobStore.open(database, limits, namespaceBytesMax)
    : PostgresJobStore.open(database, limits, namespaceBytesMax)
}
