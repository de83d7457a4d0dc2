import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@resultity/test-api'
import { startPostgres, tablesHolding } from '@resultity/test-postgres'
import t, { type Test } from 'tap'
import { heldGenerator } from './support/held-generator.ts'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const ANSWER = ['Zz', 'yzzyva']

for (const dialect of ['SQLite', 'PostgreSQL'] as const) {
  t.test(`${dialect}: what is not to be kept, or was deleted, is nowhere`, t => attacks(t, dialect))
}

async function attacks(t: Test, dialect: 'SQLite' | 'PostgreSQL'): Promise<void> {
  const server = dialect === 'SQLite' ? undefined : await startPostgres()
  const databaseUrl = await server?.createDatabase()
  const store = databaseUrl === undefined ? {} : { store: databaseUrl }
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-not-kept-'))
  const generator = heldGenerator(ANSWER)
  const limits = { batchPollMs: 20, unstoredRetentionMs: 200 }
  const mesh = await startScriptedMesh(1, { dataDir, generator, contextLength: 256, limits, ...store })
  t.teardown(async () => {
    await mesh[Symbol.asyncDispose]()
    await server?.stop()
    await rm(dataDir, { recursive: true, force: true })
  })
  const { httpUrl: url } = mesh.coordinator
  const ask = (path: string, body?: object, headers: Record<string, string> = {}, method?: string) =>
    fetch(`${url}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
  /** Files of the data directory, and tables of the database, that have this text. */
  const holding = async (text: string): Promise<string[]> => {
    const found = databaseUrl === undefined ? [] : await tablesHolding(databaseUrl, text)
    for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
      // weights and what models are made of are no texts of clients
      if (!entry.isFile() || /blobs|models|sources/.test(entry.parentPath)) continue
      const path = join(entry.parentPath, entry.name)
      const bytes = await readFile(path).catch(() => Buffer.alloc(0))
      if (bytes.includes(text)) found.push(path)
    }
    return found
  }
  const gone = async (t: Test, text: string): Promise<void> => {
    await eventually(
      `${text} is gone`,
      () => holding(text),
      places => places.length === 0
    )
    t.pass(`nothing of ${text} is left`)
  }

  const unreadable = async (id: string): Promise<void> => {
    const result = () => ask(`/v1/requests/${id}/result`)
    await eventually('its removal', result, ({ status }) => status === 404)
  }

  const secret = (name: string) => `the secret of ${name} is 7f3a9c`
  const asking = (name: string, body: object = {}) => ({
    ...QUESTION,
    messages: [{ role: 'user', content: secret(name) }],
    max_tokens: 2,
    ...body
  })

  await t.test('an answer that is not to be kept is nowhere once its client has it', async t => {
    const cases: readonly [name: string, path: string, body: object][] = [
      ['whole', CHAT, asking('whole', { store: false })],
      ['streamed', CHAT, asking('streamed', { store: false, stream: true })],
      [
        'a completion',
        '/v1/completions',
        { model: 'tiny-chat', prompt: secret('a completion'), max_tokens: 2, store: false }
      ],
      [
        'a response',
        '/v1/responses',
        { model: 'tiny-chat', input: secret('a response'), max_output_tokens: 2, store: false }
      ],
      [
        'an ensemble',
        CHAT,
        asking('an ensemble', { store: false, models: ['tiny-chat', 'tiny-chat'], strategy: 'all' })
      ],
      [
        'many',
        '/v1/batch',
        { store: false, requests: [{ custom_id: 'a', method: 'POST', url: CHAT, body: asking('many') }] }
      ]
    ]
    for (const [name, path, body] of cases) {
      const response = await ask(path, body)
      t.equal(response.status, 200, name)
      await response.text()
      const id = response.headers.get('x-request-id') ?? ''
      await unreadable(id)
      t.equal((await ask(`/v1/requests/${id}/events`)).status, 404)
      await gone(t, secret(name))
    }
    const { data } = (await (await ask('/v1/requests')).json()) as { data: { endpoint: string }[] }
    t.equal(data.filter(({ endpoint }) => endpoint !== CHAT).length, 0, 'they are not listed')
    const usage = (await (await ask('/v1/usage')).json()) as { data: { requests: number }[] }
    t.ok((usage.data[0]?.requests ?? 0) >= cases.length, 'what they took is counted')
  })

  await t.test('one that is fetched later is kept until it was', async t => {
    const accepted = await ask(CHAT, asking('later', { store: false }), { prefer: 'respond-async' })
    const { id } = (await accepted.json()) as { id: string }
    const fetched = () => ask(`/v1/requests/${id}/result`)
    const result = await eventually('the result', fetched, ({ status }) => status !== 202)
    t.equal(result.status, 200)
    t.match(await result.json(), { choices: [{ message: { content: ANSWER.join('') } }] })
    await unreadable(id)
    await gone(t, secret('later'))
  })

  await t.test('one whose client hangs up goes too', async t => {
    generator.hold()
    const controller = new AbortController()
    const body = JSON.stringify(asking('gone', { store: false }))
    const answer = fetch(`${url}${CHAT}`, { method: 'POST', body, signal: controller.signal }).catch(() => {})
    await eventually(
      'the answer begins',
      async () => generator.now,
      now => now > 0
    )
    controller.abort()
    await answer
    generator.let()
    await gone(t, secret('gone'))
  })

  await t.test('what is deleted is not left in the write-ahead log, nor with the parts of a request', async t => {
    const cases: readonly [name: string, body: object][] = [
      ['one', asking('one')],
      // longer than a page of the database
      ['long', { ...asking('long'), user: 'x'.repeat(100_000) }],
      ['several', asking('several', { models: ['tiny-chat', 'tiny-chat'], strategy: 'all' })]
    ]
    for (const [name, body] of cases) {
      const response = await ask(CHAT, body)
      await response.text()
      t.ok((await holding(secret(name))).length > 0, 'it is kept')
      const id = response.headers.get('x-request-id') ?? ''
      t.equal((await ask(`/v1/requests/${id}`, undefined, {}, 'DELETE')).status, 200)
      await gone(t, secret(name))
    }
  })

  await t.test('a file that is deleted goes with its bytes, and with what a batch made of them', async t => {
    const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: CHAT, body: asking('a line') })
    const form = new FormData()
    form.append('purpose', 'batch')
    form.append('file', new File([line], 'input.jsonl'))
    const file = (await (await fetch(`${url}/v1/files`, { method: 'POST', body: form })).json()) as { id: string }
    const routing = { input_file_id: file.id, endpoint: CHAT, completion_window: '24h' }
    const { id } = (await (await ask('/v1/batches', routing)).json()) as { id: string }
    const show = async () =>
      (await (await ask(`/v1/batches/${id}`)).json()) as { status: string; output_file_id: string }
    const batch = await eventually('the batch', show, ({ status }) => status === 'completed')
    for (const one of [file.id, batch.output_file_id]) {
      t.equal((await ask(`/v1/files/${one}`, undefined, {}, 'DELETE')).status, 200)
    }
    await gone(t, secret('a line'))
  })
}
