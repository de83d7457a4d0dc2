import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { type PostgresServer, startPostgres } from '@resultity/test-postgres'
import { type Insertable, sql } from 'kysely'
import t, { type Test } from 'tap'
import {
  type DatabaseInit,
  decodeJson,
  encodeJson,
  isUniqueViolation,
  openDatabase,
  type StoreDatabase
} from '../src/index.ts'
import type { JobContentTable } from '../src/migrations/0001-jobs.ts'

let server: PostgresServer

t.before(async () => {
  server = await startPostgres()
})
t.teardown(() => server.stop())

interface Case {
  readonly name: string
  create(t: Test): Promise<DatabaseInit>
}

const databases: readonly Case[] = [
  { name: 'SQLite', create: async t => ({ dataDir: t.testdir() }) },
  { name: 'PostgreSQL', create: async () => ({ postgresUrl: await server.createDatabase() }) }
]

function content(seq: number, body: unknown = null): Insertable<JobContentTable> {
  return { seq, body: encodeJson(body as null), result: null, error: null, usage: null }
}

async function open(t: Test, init: DatabaseInit): Promise<StoreDatabase> {
  const database = await openDatabase(init)
  t.teardown(() => database[Symbol.asyncDispose]())
  return database
}

async function sequence({ kysely }: StoreDatabase): Promise<number[]> {
  const rows = await kysely.selectFrom('job_content').select('seq').orderBy('seq').execute()
  return rows.map(row => row.seq)
}

for (const { name, create } of databases) {
  t.test(`${name} keeps what was written, text exactly`, async t => {
    const init = await create(t)
    const body = { text: 'a\u0000b \ud800 \u2028 🎈', list: [1e300, -0.1, null, true], z: 1, a: 2 }
    const first = await openDatabase(init)
    await first.kysely.insertInto('job_content').values(content(1, body)).execute()
    await first[Symbol.asyncDispose]()
    const second = await open(t, init)
    const row = await second.kysely.selectFrom('job_content').selectAll().executeTakeFirstOrThrow()
    t.equal(row.body, JSON.stringify(body), 'fields in their order')
    t.strictSame(decodeJson(row.body), body)
    t.equal(row.seq, 1, 'big integers are numbers')
  })

  t.test(`${name}: statements at once do not share their failures`, async t => {
    const { kysely } = await open(t, await create(t))
    const results = await Promise.allSettled(
      [1, 2, 2, 3].map(seq => kysely.insertInto('job_content').values(content(seq)).execute())
    )
    const reasons = results.flatMap(result => (result.status === 'rejected' ? [result.reason] : []))
    t.equal(reasons.length, 1)
    t.ok(isUniqueViolation(reasons[0]))
    const { count } = await kysely
      .selectFrom('job_content')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    t.equal(count, 3)
    const [wrong, right, write] = await Promise.allSettled([
      sql`select nothing from nowhere`.execute(kysely),
      sql`select 1`.execute(kysely),
      kysely.insertInto('job_content').values(content(4)).execute()
    ])
    t.same(
      [wrong.status, right.status, write.status],
      ['rejected', 'fulfilled', 'fulfilled'],
      'nor what cannot be read'
    )
  })

  t.test(`${name}: a transaction happens as a whole, and others are not in it`, async t => {
    const database = await open(t, await create(t))
    const { kysely } = database
    const inside = Promise.withResolvers<void>()
    const broken = kysely.transaction().execute(async transaction => {
      await transaction.insertInto('job_content').values(content(1)).execute()
      inside.resolve()
      await transaction.insertInto('job_content').values(content(2)).execute()
      throw new MeshError('canceled', 'changed my mind')
    })
    await inside.promise
    // asked for in the middle of the transaction
    const beside = kysely.insertInto('job_content').values(content(3)).execute()
    await t.rejects(broken, { code: 'canceled' })
    await beside
    await kysely.transaction().execute(async transaction => {
      await transaction.insertInto('job_content').values(content(4)).execute()
    })
    t.strictSame(await sequence(database), [3, 4])
  })

  t.test(`${name}: a database of a newer version is refused, and left as it is`, async t => {
    const init = await create(t)
    const current = await openDatabase(init)
    await sql`insert into kysely_migration (name, timestamp) values ('9999-future', '2999-01-01T00:00:00Z')`.execute(
      current.kysely
    )
    await current[Symbol.asyncDispose]()
    await t.rejects(openDatabase(init), { code: 'database_version', details: { unknown: ['9999-future'] } })
  })

  t.test(`${name}: what is asked after the end is refused`, async t => {
    const database = await openDatabase(await create(t))
    await database[Symbol.asyncDispose]()
    await t.rejects(sequence(database))
  })
}

t.test('coordinators that open one PostgreSQL at once migrate it once', async t => {
  const postgresUrl = await server.createDatabase()
  const opened = await Promise.all(Array.from({ length: 4 }, () => open(t, { postgresUrl })))
  t.equal(opened.length, 4)
})

t.test('a database that cannot be opened says why', async t => {
  const file = t.testdir()
  writeFileSync(join(file, 'store.sqlite'), 'not a database, but long enough to be taken for one'.repeat(100))
  const url = new URL(server.url)
  const wrongPassword = Object.assign(new URL(url), { password: 'wrong' }).href
  const noDatabase = Object.assign(new URL(url), { pathname: '/nowhere' }).href
  const noServer = Object.assign(new URL(url), { port: '1' }).href
  const cases: readonly (readonly [string, DatabaseInit, string])[] = [
    ['a damaged file', { dataDir: file }, 'unavailable'],
    ['a folder that is a file', { dataDir: join(file, 'store.sqlite') }, 'unavailable'],
    ['not an address', { postgresUrl: 'sqlite.db' }, 'settings_invalid'],
    ['a wrong password', { postgresUrl: wrongPassword }, 'settings_invalid'],
    ['no such database', { postgresUrl: noDatabase }, 'settings_invalid'],
    ['nobody listens', { postgresUrl: noServer }, 'unavailable']
  ]
  for (const [name, init, code] of cases) {
    const error = await openDatabase(init).then(
      () => undefined,
      error => error
    )
    t.ok(error instanceof MeshError, name)
    t.match(error, { code, hint: /./ }, name)
    t.notMatch(error?.message, 'postgres:postgres', 'no password in the message')
  }
})
