import { join } from 'node:path'
import { startPostgres } from '@resultity/test-postgres'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { openSqliteFile } from '../src/database/sqlite-file.ts'
import { openDatabase, openJobStore } from '../src/index.ts'
import { rowOf } from '../src/jobs/job-row.ts'
import type { SqliteJobOperations } from '../src/jobs/sqlite-job-messages.ts'
import { createJobOperations } from '../src/jobs/sqlite-job-operations.ts'
import { submission } from './support/submissions.ts'

const HOUR_MS = 3_600_000
const JUMPS = [6 * HOUR_MS, -6 * HOUR_MS]
const WAIT_MS = 30_000
const LEASE_MS = 15_000
const claimRequest = { lane: 'tiny-chat', class: 'interactive', count: 1 } as const

/** The operations of a database that one process has for itself, on clocks that the test sets. */
async function operations(t: Test) {
  const dataDir = t.testdir({})
  await (await openDatabase({ dataDir }))[Symbol.asyncDispose]()
  const database = openSqliteFile({ path: join(dataDir, 'store.sqlite'), syncEveryCommit: false })
  t.teardown(() => database.close())
  const time = { wallMs: 1_700_000_000_000, steadyMs: 1_700_000_000_000 }
  const clocks = { wall: { now: () => time.wallMs }, steady: { now: () => time.steadyMs } }
  const jobs = createJobOperations(database, clocks)
  const sweep = () => jobs.sweep({ everyLease: false, limits: { interruptionsMax: 100 } })
  jobs.sweep({ everyLease: true, limits: { interruptionsMax: 100 } })
  return {
    jobs,
    sweep,
    submit: (job: object = {}) => {
      const submitted = rowOf(submission({ waitMs: WAIT_MS, ...job }))
      return jobs.submit({ submitted, begin: null, bytesMax: Number.MAX_SAFE_INTEGER }).row
    },
    begin: () =>
      jobs.claim({
        begin: { owner: 'me', leaseMs: LEASE_MS },
        claimRequests: [claimRequest],
        limits: { interruptionsMax: 100 }
      }),
    state: (id: string) => jobs.get(id)?.row.state,
    set: (ms: number) => {
      time.wallMs += ms
      sweep()
    },
    pass: (ms: number) => {
      time.wallMs += ms
      time.steadyMs += ms
      sweep()
    }
  }
}

const claimOf = ({ id, attempts: attempt }: ReturnType<SqliteJobOperations['submit']>['row']) => ({
  jobId: id,
  owner: 'me',
  attempt
})

for (const jump of JUMPS) {
  const hours = jump / HOUR_MS
  t.test(`SQLite, the clock set by ${hours} h: a job that waits, waits as long as it would have`, async t => {
    const { submit, begin, state, set, pass } = await operations(t)
    const { id } = submit()
    pass(10_000)
    set(jump)
    t.equal(state(id), 'queued')
    pass(19_000)
    t.equal(state(id), 'queued')
    pass(2000)
    t.equal(state(id), 'expired', 'and no longer')
    const next = submit()
    set(jump)
    t.equal(begin()[0]?.row.id, next.id, 'one that waits can be begun')
  })

  t.test(
    `SQLite, the clock set by ${hours} h: a job that runs stays whose it is, and no lease is for ever`,
    async t => {
      const { jobs, submit, begin, state, set, pass } = await operations(t)
      submit()
      const [begun] = begin()
      if (begun === undefined) throw new Error('it was not begun')
      const claim = claimOf(begun.row)
      pass(5000)
      set(jump)
      t.equal(state(begun.row.id), 'running', 'it is not taken away')
      const entries = { text: '[["a",1]]', count: 1 }
      t.equal(jobs.append({ claim, after: 2, entries }), 3, 'its log goes on')
      t.strictSame(jobs.renew({ claims: [claim], leaseMs: LEASE_MS }), [])
      pass(14_000)
      t.equal(state(begun.row.id), 'running')
      pass(2000)
      t.equal(state(begun.row.id), 'queued', 'nobody renewed it')
      // a job that is given back keeps what is left of its wait
      set(-jump)
      t.equal(begin()[0]?.row.id, begun.row.id)
      const again = claimOf({ ...begun.row, attempts: begun.row.attempts + 1 })
      const done = { state: 'succeeded', content: { result: '{}', usage: null } } as const
      t.equal(
        jobs.finish({ claim: again, outcome: done, limits: { interruptionsMax: 100 } }).job.row.state,
        'succeeded'
      )
    }
  )
}

t.test(
  'SQLite: a process that starts with a clock further back leaves no job waiting until it has caught up',
  async t => {
    const dataDir = t.testdir({})
    const before = await openDatabase({ dataDir })
    const { job } = await (await openJobStore(before)).submit(submission({ waitMs: WAIT_MS }))
    await setBack(before.kysely)
    await before[Symbol.asyncDispose]()
    const database = await openDatabase({ dataDir })
    t.teardown(() => database[Symbol.asyncDispose]())
    const found = await (await openJobStore(database)).get(job.id)
    t.ok((found?.expiresAtMs ?? 0) <= Date.now() + WAIT_MS)
  }
)

t.test(
  'PostgreSQL: a server whose clock was set back leaves no job waiting and no lease held until it has caught up',
  async t => {
    const server = await startPostgres()
    t.teardown(() => server.stop())
    const postgresUrl = await server.createDatabase()
    const database = await openDatabase({ postgresUrl })
    t.teardown(() => database[Symbol.asyncDispose]())
    const store = await openJobStore(database)
    t.teardown(() => store[Symbol.asyncDispose]())
    const waiting = await store.submit(submission({ waitMs: WAIT_MS, lane: 'waiting' }))
    const running = await store.submit(submission(), { owner: 'gone', leaseMs: LEASE_MS })
    await setBack(database.kysely)
    await store.sweep()
    const { rows } = await sql<{ id: string; lease_ms: number; wait_ms: number }>`
    select id, lease_until_ms - (extract(epoch from clock_timestamp()) * 1000)::bigint as lease_ms,
      expires_at_ms - (extract(epoch from clock_timestamp()) * 1000)::bigint as wait_ms
    from job order by seq`.execute(database.kysely)
    t.ok((rows.find(({ id }) => id === running.job.id)?.lease_ms ?? 0) <= 5 * 60_000, 'a lease is some minutes at most')
    t.ok(
      (rows.find(({ id }) => id === waiting.job.id)?.wait_ms ?? 0) <= WAIT_MS,
      'a job waits as long as it would have'
    )
  }
)

/** As if the clock had been six hours ahead of what it is now. */
async function setBack(kysely: Awaited<ReturnType<typeof openDatabase>>['kysely']): Promise<void> {
  const ahead = 6 * HOUR_MS
  await sql`update job set created_at_ms = created_at_ms + ${sql.lit(ahead)},
    expires_at_ms = expires_at_ms + ${sql.lit(ahead)},
    lease_until_ms = case when state = 'running' then lease_until_ms + ${sql.lit(ahead)} else 0 end`.execute(kysely)
}
