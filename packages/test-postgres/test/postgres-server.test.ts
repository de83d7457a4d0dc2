import pg from 'pg'
import t from 'tap'
import { startPostgres } from '../src/index.ts'

t.test('a server starts, makes databases that are apart, and is gone afterwards', async t => {
  const server = await startPostgres()
  const urls = [await server.createDatabase(), await server.createDatabase()]
  for (const url of urls) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query('create table mine (value integer)')
    await client.end()
  }
  await server.stop()
  for (const url of urls) await t.rejects(new pg.Client({ connectionString: url }).connect())
})
