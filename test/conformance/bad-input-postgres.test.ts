import { startPostgres } from '@resultity/test-postgres'
import tap, { test } from 'tap'
import { survivesBadInput } from './bad-input.ts'

test('nor where requests are kept in PostgreSQL, whose texts take less', async t => {
  const server = await startPostgres()
  // the file's, not the test's: the swarm's own teardown fails when an answer broke the description, and ends those before it
  tap.teardown(() => server.stop())
  await survivesBadInput(t, 6, { coordinatorArgs: [`--store=${await server.createDatabase()}`] })
})
