import { MeshError } from '@resultity/interface'
import { type Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { migrations } from '../migrations/index.ts'
import type { DialectName } from './migration.ts'

/**
 * Runs the migrations that the database lacks.
 * @throws MeshError `database_version` when it has some that this program does not know
 */
export async function migrate<T>(database: Kysely<T>, dialect: DialectName): Promise<void> {
  await refuseNewer(database)
  const migrator = new Migrator({
    db: database,
    provider: {
      getMigrations: async () =>
        Object.fromEntries(Object.entries(migrations).map(([name, up]) => [name, { up: db => up(db, dialect) }]))
    }
  })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) {
    // another coordinator, of a newer version, may have come between
    await refuseNewer(database)
    throw MeshError.from(error)
  }
}

async function refuseNewer<T>(database: Kysely<T>): Promise<void> {
  const tables = await database.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(({ name }) => name === 'kysely_migration')) return
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(database)
  const unknown = rows.map(({ name }) => name).filter(name => !(name in migrations))
  if (unknown.length === 0) return
  throw new MeshError('database_version', `the database is of a newer version: it has ${unknown.join(', ')}`, {
    hint: 'start the version that wrote it, or a newer one; there is no way back but a backup',
    details: { unknown }
  })
}
