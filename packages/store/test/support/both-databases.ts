import { type PostgresServer, startPostgres } from '@resultity/test-postgres'
import t, { type Test } from 'tap'
import { type DatabaseInit, openDatabase, type StoreDatabase } from '../../src/index.ts'

/** A database that was just made; every opening is as of one more process. */
export interface FreshDatabase {
  open(): Promise<StoreDatabase>
}

let server: Promise<PostgresServer> | undefined

/** One for all tests of a file. */
function serverOfFile(): Promise<PostgresServer> {
  if (server === undefined) {
    const started = startPostgres()
    server = started
    t.teardown(async () => {
      server = undefined
      await (await started).stop()
    })
  }
  return server
}

/** The same test on SQLite and on PostgreSQL, each time with an empty database. */
export function onBothDatabases(promise: string, test: (t: Test, database: FreshDatabase) => Promise<void>): void {
  t.test(`${promise} (SQLite)`, t => run(t, { dataDir: t.testdir({}) }, test))
  t.test(`${promise} (PostgreSQL)`, async t => {
    const { createDatabase } = await serverOfFile()
    await run(t, { postgresUrl: await createDatabase() }, test)
  })
}

async function run(
  t: Test,
  init: DatabaseInit,
  test: (t: Test, database: FreshDatabase) => Promise<void>
): Promise<void> {
  const opened: StoreDatabase[] = []
  t.teardown(async () => {
    for (const database of opened) await database[Symbol.asyncDispose]()
  })
  await test(t, {
    open: async () => {
      const database = await openDatabase(init)
      opened.push(database)
      return database
    }
  })
}
