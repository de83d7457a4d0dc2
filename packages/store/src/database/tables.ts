import type { JobTables } from '../migrations/0001-jobs.ts'

/** Every table, by feature. A feature adds its own interface here, and a migration that creates what it names. */
export interface Tables extends JobTables {}
