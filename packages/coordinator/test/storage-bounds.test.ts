import { startPostgres } from '@resultity/test-postgres'
import t, { type Test } from 'tap'
import { heldGenerator } from './support/held-generator.ts'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

type Dialect = 'SQLite' | 'PostgreSQL'

async function start(t: Test, dialect: Dialect, limits: object, nodes = 1) {
  const server = dialect === 'SQLite' ? undefined : await startPostgres()
  t.teardown(() => server?.stop())
  const store = server === undefined ? {} : { store: await server.createDatabase() }
  const generator = heldGenerator(Array(200).fill(' word'), 1000)
  const mesh = await startScriptedMesh(nodes, { generator, contextLength: 256, limits, ...store })
  t.teardown(() => mesh[Symbol.asyncDispose]())
  const url = mesh.coordinator.httpUrl
  const ask = async (method: string, path: string, body?: object | FormData, headers: Record<string, string> = {}) => {
    const sent = body instanceof FormData ? { body } : body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await fetch(`${url}${path}`, { method, headers, ...sent })
    const text = await response.text()
    const json = response.headers.get('content-type')?.startsWith('application/json')
    return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : undefined }
  }
  const upload = (bytes: number) => {
    const form = new FormData()
    form.append('purpose', 'batch')
    form.append('file', new File(['x'.repeat(bytes)], 'input.jsonl'))
    return ask('POST', '/v1/files', form)
  }
  return { generator, ask, upload }
}

const later = { prefer: 'respond-async' }
const KIB = 1024
const FULL = { status: 429, body: { error: { code: 'storage_quota_exceeded' } } }

for (const dialect of ['SQLite', 'PostgreSQL'] as const) {
  t.test(`${dialect}: uploads at once store no more than one namespace may have`, async t => {
    const most = 2000 * KIB
    const { ask, upload } = await start(t, dialect, { namespaceBytesMax: most })
    const answers = await Promise.all(Array.from({ length: 12 }, () => upload(400 * KIB)))
    const stored = answers.filter(({ status }) => status === 200)
    for (const refused of answers.filter(({ status }) => status !== 200)) t.match(refused, FULL)
    t.ok(stored.length >= 1 && stored.length * 400 * KIB <= most, `${stored.length} of 12`)
    const { data } = (await ask('GET', '/v1/files')).body
    t.equal(data.length, stored.length)
    for (const { body } of stored) t.equal((await ask('DELETE', `/v1/files/${body.id}`)).status, 200)
    // what was reserved was given back: there is as much room as at first
    t.equal((await upload(1500 * KIB)).status, 200)
  })

  t.test(`${dialect}: requests and what comes of them count, before they are stored`, async t => {
    const { ask, generator } = await start(t, dialect, { namespaceBytesMax: 400 * KIB })
    generator.hold()
    const big = { ...QUESTION, max_tokens: 100, user: 'x'.repeat(50 * KIB) }
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('POST', CHAT, big, later)))
    const taken = answers.filter(({ status }) => status === 202)
    for (const refused of answers.filter(({ status }) => status !== 202)) {
      t.match(refused, FULL)
      t.equal(refused.headers.get('x-should-retry'), 'false')
      t.match(refused.text, /Delete requests, files or conversations/)
    }
    t.ok(taken.length >= 1 && taken.length <= 7, `${taken.length} of 20`)
    generator.let()
    for (const { body } of taken) {
      await ask('GET', `/v1/requests/${body.id}/events`)
      t.equal((await ask('GET', `/v1/requests/${body.id}/result`)).status, 200, 'what was taken is done')
    }
    t.match(await ask('POST', CHAT, { ...big, user: 'x'.repeat(300 * KIB) }, later), FULL)
    for (const { body } of taken) t.equal((await ask('DELETE', `/v1/requests/${body.id}`)).status, 200)
    t.equal((await ask('POST', CHAT, { ...big, user: 'x'.repeat(300 * KIB) }, later)).status, 202)
  })
}

t.test('below the low-water mark nothing new is stored, and reading goes on', async t => {
  const { ask, upload } = await start(t, 'SQLite', { diskReserveBytes: Number.MAX_SAFE_INTEGER }, 0)
  const refused = { status: 507, body: { error: { code: 'storage_low', message: /bytes left, and keeps/ } } }
  const line = { custom_id: 'a', method: 'POST', url: CHAT, body: QUESTION }
  const batch = { input_file_id: 'file-1', endpoint: CHAT, completion_window: '24h' }
  const low = await ask('POST', CHAT, QUESTION)
  t.match(low, refused)
  t.equal(low.headers.get('retry-after'), '30')
  t.match(await ask('POST', CHAT, QUESTION, later), refused)
  t.match(await ask('POST', '/v1/batch', { requests: [line] }), refused)
  t.match(await ask('POST', '/v1/batches', batch), refused)
  t.match(await upload(10), refused)
  for (const path of ['/healthz', '/v1/models', '/v1/requests', '/v1/files', '/v1/usage']) {
    t.equal((await ask('GET', path)).status, 200, path)
  }
})
