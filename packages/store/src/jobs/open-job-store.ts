import type { StoreDatabase } from '../database/database.ts'
import type { JobStore } from '../job-store.ts'
import { PostgresJobStore } from './postgres-job-store.ts'
import { SqliteJobStore } from './sqlite-job-store.ts'

const DEFAULT_INTERRUPTIONS_MAX = 100

export interface JobStoreInit {
  /**
   * Attempts of one job that may end with their coordinator; then it fails with `interrupted_too_often`, for it may be
   * what ends them. Default 100.
   */
  readonly interruptionsMax?: number
  /** What each namespace may have stored: bodies, logs and results of jobs, and files. Default: as much as there is room for. */
  readonly namespaceBytesMax?: number
}

/** The jobs of a database. It must be open for as long as the store is used, and is closed by whoever opened it. */
export async function openJobStore(database: StoreDatabase, init: JobStoreInit = {}): Promise<JobStore> {
  const complete = { interruptionsMax: DEFAULT_INTERRUPTIONS_MAX, namespaceBytesMax: Number.MAX_SAFE_INTEGER, ...init }
  return database.dialect === 'sqlite'
    ? SqliteJobStore.open(database, complete)
    : PostgresJobStore.open(database, complete)
}
