import { startPostgres } from '@resultity/test-postgres'
import { test } from 'tap'
import { survivesBadInput } from './bad-input.ts'

test('nor where requests are kept in PostgreSQL, whose texts take less', async t => {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  await survivesBadInput(t, 12, { coordinatorArgs: [`--store=${await server.createDatabase()}`] })
})
