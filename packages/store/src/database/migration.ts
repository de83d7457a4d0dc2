import type { Kysely } from 'kysely'

export type DialectName = 'sqlite' | 'postgres'

/** Brings a database to this version. Several coordinators may do so at once: the first does it, the others wait. */
export type Migration = (database: Kysely<unknown>, dialect: DialectName) => Promise<void>
